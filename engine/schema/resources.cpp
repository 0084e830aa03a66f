#include "engine/schema/resources.h"

#include "engine/base/codes.h"
#include "engine/document/scalar.h"
#include "engine/schema/keywords.h"
#include "engine/schema/metaschemas.h"
#include "engine/schema/uri.h"

#include <fmt/format.h>

#include <charconv>

namespace stillroom {
namespace {

constexpr int kDeepest = 500;
constexpr std::string_view kVocabularies = "https://json-schema.org/draft/2020-12/vocab/";
constexpr std::string_view kDialect = "https://json-schema.org/draft/2020-12/schema";

std::string text_of(const Node& node, std::string_view key) {
    NodePtr value = node.get(key);
    return value && value->kind == Kind::string ? value->text : std::string();
}

/// "a~1b" -> "a/b", "a~0b" -> "a~b", after %XX.
std::string pointer_token(std::string_view text) {
    std::string out = decode_percent(text);
    for (std::size_t at = 0; (at = out.find('~', at)) != std::string::npos; ++at) {
        if (out.compare(at, 2, "~1") == 0)
            out.replace(at, 2, "/");
        else if (out.compare(at, 2, "~0") == 0)
            out.replace(at, 2, "~");
    }
    return out;
}

NodePtr step_into(const Node& node, const std::string& token) {
    if (node.is_map())
        return node.get(token);
    if (!node.is_list() || token.empty() || (token.size() > 1 && token[0] == '0'))
        return nullptr;
    std::size_t index = 0;
    auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
    bool number = error == std::errc() && end == token.data() + token.size();
    return number && index < node.items.size() ? node.items[index] : nullptr;
}

}  // namespace

SchemaResource* SchemaResources::add(const NodePtr& document, const std::string& uri) {
    compiled_.documents.push_back(document);
    std::string base = split_fragment(uri).base;
    // The place where it was found stays a name for it beside its own `$id`.
    std::string id = document->is_map() ? text_of(*document, "$id") : std::string();
    std::string own = id.empty() ? base : split_fragment(resolve_uri(base, id)).base;
    if (auto known = by_uri_.find(own); known != by_uri_.end()) {
        by_uri_.emplace(base, known->second);
        return known->second;
    }
    SchemaResource* resource = open(document, own, nullptr);
    by_uri_.emplace(base, resource);
    scan(document, resource, 0);
    return resource;
}

SchemaResource* SchemaResources::open(const NodePtr& node,
                                      const std::string& uri,
                                      const SchemaResource* outer) {
    SchemaResource& resource = compiled_.resources.emplace_back();
    resource.uri = uri;
    resource.root = node;
    if (auto [first, added] = by_uri_.emplace(uri, &resource); !added)
        diagnostics_.error(code::kSchemaForm,
                           node->get("$id")->where,
                           fmt::format("two schemas have the $id {}", first->first));
    by_root_.emplace(node.get(), &resource);
    choose_vocabularies(resource, outer);
    return &resource;
}

void SchemaResources::choose_vocabularies(SchemaResource& resource, const SchemaResource* outer) {
    if (outer) {
        resource.applicator = outer->applicator;
        resource.validation = outer->validation;
        resource.unevaluated = outer->unevaluated;
    }
    NodePtr dialect = resource.root->get("$schema");
    if (!dialect || dialect->kind != Kind::string)
        return;
    std::string uri = split_fragment(dialect->text).base;
    if (uri == kDialect || uri == resource.uri)
        return;
    NodePtr metaschema = fetch(uri);
    if (!metaschema || !metaschema->is_map()) {
        diagnostics_
            .error(code::kSchemaDialect,
                   dialect->where,
                   fmt::format("unknown dialect {}", describe_value(*dialect, 80)))
            .with_hint(fmt::format("draft 2020-12 is \"{}\"", kDialect));
        return;
    }
    NodePtr vocabularies = metaschema->get("$vocabulary");
    if (!vocabularies || !vocabularies->is_map())
        return;
    auto named = [&](std::string_view name) {
        return vocabularies->find(std::string(kVocabularies) + std::string(name)) != nullptr;
    };
    resource.applicator = named("applicator");
    resource.validation = named("validation");
    resource.unevaluated = named("unevaluated");
    constexpr std::string_view kKnown[] = {"core",
                                           "applicator",
                                           "unevaluated",
                                           "validation",
                                           "meta-data",
                                           "format-annotation",
                                           "content"};
    for (const Entry& entry : vocabularies->entries) {
        bool known = false;
        for (std::string_view name : kKnown)
            known = known || entry.key == std::string(kVocabularies) + std::string(name);
        if (!known && boolean_value(*entry.value))
            diagnostics_.error(code::kSchemaDialect,
                               dialect->where,
                               fmt::format("dialect {} asks for the unknown vocabulary \"{}\"",
                                           describe_value(*dialect, 80),
                                           entry.key));
    }
}

void SchemaResources::scan(const NodePtr& node, SchemaResource* resource, int depth) {
    if (!node->is_map() || depth > kDeepest)
        return;
    if (std::string id = text_of(*node, "$id"); !id.empty() && node != resource->root) {
        std::string uri = split_fragment(resolve_uri(resource->uri, id)).base;
        resource = open(node, uri, resource);
    }
    if (NodePtr anchor = node->get("$anchor"))
        name(anchor, node, *resource);
    if (NodePtr anchor = node->get("$dynamicAnchor"); anchor && anchor->kind == Kind::string) {
        name(anchor, node, *resource);
        dynamic_[resource].emplace(anchor->text, node);
    }
    scan_children(*node, resource, depth);
}

void SchemaResources::name(const NodePtr& anchor, const NodePtr& node, SchemaResource& resource) {
    if (anchor->kind != Kind::string)
        return;
    auto [first, added] = resource.anchors.emplace(anchor->text, node);
    if (!added && first->second != node)
        diagnostics_.error(code::kSchemaForm,
                           anchor->where,
                           fmt::format("two schemas have the anchor {}", describe_value(*anchor)));
}

void SchemaResources::scan_children(const Node& node, SchemaResource* resource, int depth) {
    for (const Entry& entry : node.entries) {
        const Node& value = *entry.value;
        switch (keyword_form(entry.key)) {
            case KeywordForm::schema:
                scan(entry.value, resource, depth + 1);
                break;
            case KeywordForm::list:
                for (const NodePtr& item : value.items)
                    scan(item, resource, depth + 1);
                break;
            case KeywordForm::map:
                for (const Entry& each : value.entries)
                    scan(each.value, resource, depth + 1);
                break;
            case KeywordForm::other:
                break;
        }
    }
}

/// The documents of the draft itself are always there.
NodePtr SchemaResources::fetch(const std::string& uri) const {
    if (NodePtr document = built_in_schema(uri))
        return document;
    return resolver_ ? resolver_(uri) : nullptr;
}

SchemaResource* SchemaResources::load(const std::string& uri) {
    if (auto found = by_uri_.find(uri); found != by_uri_.end())
        return found->second;
    NodePtr document = fetch(uri);
    return document ? add(document, uri) : nullptr;
}

SchemaResource* SchemaResources::resource_of(const NodePtr& node, SchemaResource* outer) const {
    auto found = by_root_.find(node.get());
    return found == by_root_.end() ? outer : found->second;
}

SchemaTarget SchemaResources::follow_pointer(SchemaResource* resource,
                                             const std::string& pointer) const {
    SchemaTarget target{resource->root, resource};
    std::size_t at = 0;
    while (at < pointer.size() && target.node) {
        std::size_t end = std::min(pointer.find('/', at + 1), pointer.size());
        std::string token = pointer_token(std::string_view(pointer).substr(at + 1, end - at - 1));
        target.node = step_into(*target.node, token);
        if (target.node)
            target.resource = resource_of(target.node, target.resource);
        at = end;
    }
    return target;
}

SchemaTarget SchemaResources::find(const std::string& uri) {
    SplitUri parts = split_fragment(uri);
    SchemaResource* resource = load(parts.base);
    if (!resource)
        return {};
    if (parts.fragment.empty())
        return {resource->root, resource};
    if (parts.fragment[0] == '/')
        return follow_pointer(resource, parts.fragment);
    auto found = resource->anchors.find(decode_percent(parts.fragment));
    if (found == resource->anchors.end())
        return {};
    return {found->second, resource};
}

bool SchemaResources::is_dynamic(const SchemaResource* resource, const std::string& anchor) const {
    auto found = dynamic_.find(resource);
    return found != dynamic_.end() && found->second.contains(anchor);
}

const std::map<std::string, NodePtr>& SchemaResources::dynamic_anchors(
    const SchemaResource* resource) const {
    static const std::map<std::string, NodePtr> none;
    auto found = dynamic_.find(resource);
    return found == dynamic_.end() ? none : found->second;
}

}  // namespace stillroom
