#include "engine/schema/editor.h"

#include "engine/base/json.h"
#include "engine/schema/formats.h"

#include <algorithm>
#include <initializer_list>

// The schema that editors use differs from the one we check by, because an editor knows YAML's
// types and one file only. So each value is widened: by `${...}`, by the spellings of numbers, by
// scalars that we take as text. Every stage type becomes one closed branch, chosen by `use`; the
// language servers handle `if`, `then` and additionalProperties well, but not
// unevaluatedProperties.

namespace stillroom {
namespace {

using Pairs = std::initializer_list<std::pair<std::string_view, NodePtr>>;

std::shared_ptr<Node> map_of(Pairs pairs) {
    std::shared_ptr<Node> out = make_map();
    for (const auto& [key, value] : pairs)
        out->entries.push_back({std::string(key), {}, value, true});
    return out;
}

NodePtr list_of(std::vector<NodePtr> items) {
    std::shared_ptr<Node> out = make_list();
    out->items = std::move(items);
    return out;
}

NodePtr text(std::string_view value) {
    return make_string(std::string(value));
}

NodePtr truth(bool value) {
    auto out = std::make_shared<Node>();
    out->kind = Kind::boolean;
    out->text = value ? "true" : "false";
    return out;
}

NodePtr reference(std::string_view name) {
    return map_of({{"$ref", text("#/$defs/" + std::string(name))}});
}

void put(Node& map, std::string_view key, NodePtr value) {
    auto found = std::find_if(map.entries.begin(), map.entries.end(), [&](const Entry& entry) {
        return entry.key == key;
    });
    if (found != map.entries.end())
        found->value = std::move(value);
    else
        map.entries.push_back({std::string(key), {}, std::move(value), true});
}

bool has_type(const Node& schema, std::string_view name) {
    NodePtr type = schema.get("type");
    if (!type)
        return false;
    if (!type->is_list())
        return type->text == name;
    return std::any_of(type->items.begin(), type->items.end(), [&](const NodePtr& each) {
        return each->text == name;
    });
}

constexpr std::string_view kNumber =
    "[+-]?([0-9][0-9_]*\\.?[0-9_]*|\\.[0-9][0-9_]*)([eE][+-]?[0-9]+)?";

/// What a number may look like that YAML reads as text.
std::string spelling(const Node& schema) {
    NodePtr format = schema.get("format");
    std::string_view suffixes = "[KMBGT]?";
    switch (format ? format_named(format->text) : Format::none) {
        case Format::bytes:
            suffixes = " ?([kKMGT]B|[KMGT]iB|B)?";
            break;
        case Format::duration:
            suffixes = " ?(ms|s|m|h|d)?";
            break;
        case Format::count:
        case Format::none:
            break;
    }
    return "^" + std::string(kNumber) + std::string(suffixes) + "$";
}

/// What fits a line stands on one line, so that the file can be read and its changes too.
void write_folded(JsonWriter& out, const Node& node) {
    JsonWriter flat;
    write_json(flat, node);
    if (flat.text().size() <= 100) {
        out.raw(flat.text());
    } else if (node.is_map()) {
        out.begin_object();
        for (const Entry& entry : node.entries) {
            out.key(entry.key);
            write_folded(out, *entry.value);
        }
        out.end_object();
    } else if (node.is_list()) {
        out.begin_array();
        for (const NodePtr& item : node.items)
            write_folded(out, *item);
        out.end_array();
    } else {
        out.raw(flat.text());
    }
}

/// Turns the schemas of one document into an editor's. `prefix` tells its `$defs` from others'.
class Widener {
public:
    explicit Widener(std::string prefix) : prefix_(std::move(prefix)) {}

    /// A value's schema, with what an editor must let through beside it. Help stays outside, where
    /// hovering finds it.
    NodePtr value(const Node& schema) const {
        std::shared_ptr<Node> out = make_map();
        std::shared_ptr<Node> inner = make_map();
        for (const Entry& entry : schema.entries) {
            bool help = entry.key == "description" || entry.key == "default" ||
                        entry.key == "deprecated" || entry.key == "examples";
            if (help)
                out->entries.push_back(entry);
            else if (!entry.key.starts_with("x-"))
                inner->entries.push_back({entry.key, {}, keyword(entry), true});
        }
        if (schema.find("x-literal")) {
            out->entries.insert(out->entries.end(), inner->entries.begin(), inner->entries.end());
            return out;
        }
        put(*out, "anyOf", alternatives(schema, inner));
        return out;
    }

    /// The schemas in a map of schemas.
    NodePtr values(const Node& map) const {
        std::shared_ptr<Node> out = make_map();
        for (const Entry& entry : map.entries)
            out->entries.push_back({entry.key, {}, value(*entry.value), true});
        return out;
    }

    /// A port takes the name of a stage, or several.
    static NodePtr port(const Node& schema) {
        NodePtr name = map_of({{"type", text("string")}});
        std::shared_ptr<Node> out = make_map();
        if (const Entry* description = schema.find("description"))
            out->entries.push_back(*description);
        if (!schema.find("x-many")) {
            put(*out, "type", text("string"));
            return out;
        }
        NodePtr names = map_of({{"type", text("array")}, {"items", name}});
        put(*out, "anyOf", list_of({name, names}));
        return out;
    }

    NodePtr keyword(const Entry& entry) const {
        const std::string& key = entry.key;
        const Node& of = *entry.value;
        if (key == "$ref") {
            constexpr std::string_view kLocal = "#/$defs/";
            return text(of.text.starts_with(kLocal)
                            ? std::string(kLocal) + prefix_ + of.text.substr(kLocal.size())
                            : of.text);
        }
        if (key == "properties")
            return values(of);
        bool one_schema = key == "items" || key == "additionalProperties";
        if (one_schema && of.is_map())
            return value(of);
        if (key == "propertyNames")
            return names(of);
        return entry.value;
    }

private:
    /// Names are never `${...}`: only references are moved.
    NodePtr names(const Node& schema) const {
        std::shared_ptr<Node> out = make_map();
        for (const Entry& entry : schema.entries)
            out->entries.push_back(
                {entry.key, {}, entry.key == "$ref" ? keyword(entry) : entry.value, true});
        return out;
    }

    NodePtr alternatives(const Node& schema, const std::shared_ptr<Node>& inner) const {
        std::vector<NodePtr> out;
        bool tagged = schema.find("x-tag") != nullptr;
        NodePtr branches = tagged ? schema.get("oneOf") : schema.get("anyOf");
        if (branches) {
            for (const NodePtr& branch : branches->items)
                out.push_back(value(*branch));
        } else {
            if (has_type(*inner, "string"))
                put(*inner, "type", scalars(*inner));
            out.push_back(inner);
        }
        if (has_type(schema, "integer") || has_type(schema, "number"))
            out.push_back(map_of({{"type", text("string")}, {"pattern", text(spelling(schema))}}));
        out.push_back(reference("later"));
        return list_of(std::move(out));
    }

    /// A text setting takes any scalar but null, as it is written.
    static NodePtr scalars(const Node& schema) {
        std::vector<NodePtr> types = {text("string"), text("number"), text("boolean")};
        if (has_type(schema, "null"))
            types.push_back(text("null"));
        return list_of(std::move(types));
    }

    std::string prefix_;
};

class Editor {
public:
    Editor(const Catalog& catalog, Diagnostics& diagnostics)
        : catalog_(catalog),
          diagnostics_(diagnostics) {}

    std::string text_of() {
        frame();
        for (const std::string& name : catalog_.names())
            if (const StageType* type = catalog_.find(name, diagnostics_))
                stage(*type);
        put(*definitions_, "later", later());
        JsonWriter out(2);
        write_folded(out, *root());
        return out.take() + "\n";
    }

private:
    static NodePtr later() {
        return map_of({{"type", text("string")},
                       {"pattern", text("\\$\\{|^\\?\\?\\?$")},
                       {"description",
                        text("${...} is put in when the recipe is composed; ??? must be given")}});
    }

    /// The frame's own definitions, and what every stage takes.
    void frame() {
        Widener widen("");
        NodePtr definitions = catalog_.frame_document()->get("$defs");
        if (!definitions)
            return;
        for (const Entry& entry : definitions->entries)
            if (entry.key == "stage")
                stage_frame_ = entry.value;
            else
                put(*definitions_, entry.key, widen.value(*entry.value));
        if (stage_frame_)
            engine_keys_ = widen.values(*stage_frame_->get("properties"));
    }

    void stage(const StageType& type) {
        Widener widen(type.name + ".");
        const Node& document = *type.document;
        std::shared_ptr<Node> properties = make_map();
        for (const Entry& entry : document.get("properties")->entries)
            put(*properties,
                entry.key,
                type.port(entry.key) ? Widener::port(*entry.value) : widen.value(*entry.value));
        for (const Entry& entry : engine_keys_->entries)
            put(*properties, entry.key, entry.value);
        std::shared_ptr<Node> branch = make_map();
        put(*branch, "description", text(type.description));
        put(*branch, "properties", properties);
        put(*branch, "patternProperties", map_of({{"^x-", truth(true)}}));
        for (std::string_view key : {"required", "oneOf", "dependentRequired"})
            if (NodePtr rule = document.get(key))
                put(*branch, key, rule);
        put(*branch, "additionalProperties", truth(false));
        put(*definitions_, type.name, branch);
        if (NodePtr own = document.get("$defs"))
            for (const Entry& entry : own->entries)
                put(*definitions_, type.name + "." + entry.key, widen.value(*entry.value));
        names_.push_back(text(type.name));
        NodePtr chosen = map_of({{"const", text(type.name)}});
        choices_.push_back(map_of({{"if",
                                    map_of({{"properties", map_of({{"use", chosen}})},
                                            {"required", list_of({text("use")})}})},
                                   {"then", reference(type.name)}}));
    }

    /// A stage type, a recipe's file or the name of a library recipe: the latter have a slash, a
    /// hyphen, no dot, or YAML's ending, and their params are not known here.
    NodePtr stage_entry() const {
        std::shared_ptr<Node> use = make_map();
        if (NodePtr known = engine_keys_->get("use"))
            if (const Entry* description = known->find("description"))
                use->entries.push_back(*description);
        NodePtr recipe =
            map_of({{"type", text("string")}, {"pattern", text("\\.ya?ml$|/|-|^[^.]+$")}});
        put(*use, "anyOf", list_of({map_of({{"enum", list_of(names_)}}), recipe}));
        std::shared_ptr<Node> entry = make_map();
        put(*entry, "type", text("object"));
        put(*entry, "properties", map_of({{"use", use}}));
        put(*entry, "allOf", list_of(choices_));
        return entry;
    }

    NodePtr with_stages(const Node& widened, const Node& properties) const {
        std::shared_ptr<Node> out = copy(widened);
        std::shared_ptr<Node> stages = make_map();
        if (NodePtr declared = properties.get("stages"))
            for (const Entry& entry : declared->entries)
                put(*stages, entry.key, entry.value);
        put(*stages, "additionalProperties", stage_entry());
        put(*out, "stages", stages);
        return out;
    }

    NodePtr root() const {
        const Node& document = *catalog_.frame_document();
        std::shared_ptr<Node> out = make_map();
        for (std::string_view key : {"$schema", "title", "description", "type"})
            if (NodePtr value = document.get(key))
                put(*out, key, value);
        NodePtr properties = document.get("properties");
        NodePtr known_keys = Widener("").values(*properties);
        put(*out, "properties", with_stages(*known_keys, *properties));
        put(*out, "patternProperties", map_of({{"^x-", truth(true)}}));
        put(*out, "additionalProperties", map_of({{"type", list_of({text("object")})}}));
        std::vector<NodePtr> keys;
        for (const Entry& entry : properties->entries)
            keys.push_back(text(entry.key));
        NodePtr known = map_of({{"enum", list_of(std::move(keys))}});
        NodePtr free = map_of({{"pattern", text("^x-")}});
        put(*out, "if", map_of({{"required", list_of({text("defaults")})}}));
        put(*out,
            "else",
            map_of({{"required", list_of({text("stages")})},
                    {"propertyNames", map_of({{"anyOf", list_of({known, free})}})}}));
        put(*out, "$defs", definitions_);
        return out;
    }

    const Catalog& catalog_;
    Diagnostics& diagnostics_;
    std::shared_ptr<Node> definitions_ = make_map();
    NodePtr stage_frame_;
    NodePtr engine_keys_ = make_map();
    std::vector<NodePtr> names_, choices_;
};

}  // namespace

std::string editor_schema(const Catalog& catalog, Diagnostics& diagnostics) {
    return Editor(catalog, diagnostics).text_of();
}

}  // namespace stillroom
