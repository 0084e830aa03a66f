#include "engine/recipe/declared.h"

#include "engine/recipe/resolve.h"
#include "engine/recipe/sub_recipe.h"
#include "engine/schema/catalog.h"

#include <map>
#include <set>

namespace stillroom {
namespace {

/// A stage schema as far as keys go: every schema that may describe the value at a path, whatever
/// branch will count.
class SchemaWalk {
public:
    explicit SchemaWalk(const Node& document) : document_(document) {}

    std::vector<const Node*> at(const KeyPath& path) const {
        std::vector<const Node*> schemas = {&document_};
        for (const std::string& key : path) {
            std::vector<const Node*> next;
            for (const Node* schema : spread(schemas))
                step(*schema, key, next);
            schemas = std::move(next);
        }
        return spread(schemas);
    }

private:
    /// With what `$ref`, anyOf, oneOf and allOf bring in.
    std::vector<const Node*> spread(const std::vector<const Node*>& schemas) const {
        std::vector<const Node*> out;
        std::set<const Node*> seen;
        std::vector<const Node*> todo(schemas.rbegin(), schemas.rend());
        while (!todo.empty()) {
            const Node* schema = todo.back();
            todo.pop_back();
            if (!schema->is_map() || !seen.insert(schema).second)
                continue;
            out.push_back(schema);
            if (NodePtr reference = schema->get("$ref");
                reference && reference->text.starts_with("#/$defs/"))
                if (NodePtr definitions = document_.get("$defs"))
                    if (const Entry* entry = definitions->find(reference->text.substr(8)))
                        todo.push_back(entry->value.get());
            for (const char* keyword : {"anyOf", "oneOf", "allOf"})
                if (NodePtr branches = schema->get(keyword))
                    for (const NodePtr& branch : branches->items)
                        todo.push_back(branch.get());
        }
        return out;
    }

    static void step(const Node& schema, const std::string& key, std::vector<const Node*>& next) {
        NodePtr properties = schema.get("properties");
        const Entry* property = properties ? properties->find(key) : nullptr;
        if (property)
            next.push_back(property->value.get());
        else if (NodePtr rest = schema.get("additionalProperties"); rest && rest->is_map())
            next.push_back(rest.get());
    }

    const Node& document_;
};

class Declarations {
public:
    Declarations(const NodePtr& root, const Request& request, const SearchPath& search)
        : root_(root),
          request_(request),
          search_(search) {}

    bool declares(const KeyPath& path) {
        return !schemas_at(path).empty() || is_engine_key(path) || names_param(path);
    }

    NodePtr default_of(const KeyPath& path) {
        for (const Node* schema : schemas_at(path))
            if (NodePtr value = schema->get("default"))
                return value;
        return nullptr;
    }

    std::vector<std::string> names(const KeyPath& path) {
        std::vector<std::string> names;
        for (const Node* schema : schemas_at(path))
            if (NodePtr properties = schema->get("properties"))
                for (const Entry& entry : properties->entries)
                    names.push_back(entry.key);
        if (path.size() >= 3 && path[0] == "stages" && path[2] == "stages")
            add_inner_names(path, names);
        if (path.size() == 2 && path[0] == "stages" && request_.catalog) {
            for (const std::string& key : request_.catalog->engine_keys())
                names.push_back(key);
            if (const Recipe* sub = sub_recipe(path))
                for (const char* key : {"params", "inputs"})
                    if (NodePtr map = sub->root->get(key))
                        for (const Entry& entry : map->entries)
                            names.push_back(entry.key);
        }
        return names;
    }

private:
    /// Keys inside the stages of a stage that is a recipe.
    void add_inner_names(const KeyPath& path, std::vector<std::string>& names) {
        const Recipe* sub = sub_recipe(path);
        if (!sub)
            return;
        KeyPath inner(path.begin() + 2, path.end());
        NodePtr node = look_up(sub->root, inner);
        if (node && node->is_map())
            for (const Entry& entry : node->entries)
                names.push_back(entry.key);
        for (std::string& name : Declarations(sub->root, request_, search_).names(inner))
            names.push_back(std::move(name));
    }

    /// `use` of the stage that the path leads into, or null.
    NodePtr used_at(const KeyPath& path) const {
        if (path.size() < 2 || path[0] != "stages" || !root_ || !request_.catalog)
            return nullptr;
        NodePtr use = look_up(root_, {"stages", path[1], "use"});
        return use && use->kind == Kind::string ? use : nullptr;
    }

    std::vector<const Node*> schemas_at(const KeyPath& path) {
        NodePtr use = used_at(path);
        Diagnostics ignored;
        const StageType* type = use ? request_.catalog->find(use->text, ignored) : nullptr;
        if (!type)
            return {};
        return SchemaWalk(*type->document).at({path.begin() + 2, path.end()});
    }

    bool is_engine_key(const KeyPath& path) const {
        if (!used_at(path) || path.size() < 3 || !request_.catalog->is_engine_key(path[2]))
            return false;
        return path.size() == 3 || (path[2] == "env" && path.size() == 4);
    }

    /// A setting of a stage that is a recipe: one of its params or inputs, or a key deeper in its
    /// stages.
    bool names_param(const KeyPath& path) {
        if (path.size() < 3)
            return false;
        const Recipe* sub = sub_recipe(path);
        if (!sub)
            return false;
        if (path[2] == "stages") {
            KeyPath inner(path.begin() + 2, path.end());
            if (inner.size() < 3 || look_up(sub->root, inner))
                return inner.size() == 1 || look_up(sub->root, inner) != nullptr;
            return Declarations(sub->root, request_, search_).declares(inner);
        }
        KeyPath param(path.begin() + 2, path.end());
        KeyPath input = {"inputs", path[2]};
        param.insert(param.begin(), "params");
        return look_up(sub->root, param) || (path.size() == 3 && look_up(sub->root, input));
    }

    const Recipe* sub_recipe(const KeyPath& path) {
        NodePtr use = used_at(path);
        Diagnostics ignored;
        if (!use || !request_.sources || request_.catalog->find(use->text, ignored))
            return nullptr;
        std::optional<RecipeFile> file = find_recipe(*use, *request_.sources, search_);
        if (!file || file->outside || file->absent)
            return nullptr;
        auto [known, is_new] = subs_.try_emplace(file->path);
        if (is_new) {
            Request request = request_;
            request.recipe = file->path;
            request.arguments.clear();
            known->second = compose(*request_.sources, request, ignored);
        }
        return known->second ? &*known->second : nullptr;
    }

    const NodePtr& root_;
    const Request& request_;
    const SearchPath& search_;
    std::map<std::filesystem::path, std::optional<Recipe>> subs_;
};

}  // namespace

DeclaredKeys declared_keys(const NodePtr& root, const Request& request, const SearchPath& search) {
    auto declarations = std::make_shared<Declarations>(root, request, search);
    DeclaredKeys keys;
    keys.declares = [declarations](const KeyPath& path) { return declarations->declares(path); };
    keys.default_of = [declarations](const KeyPath& path) {
        return declarations->default_of(path);
    };
    keys.names = [declarations](const KeyPath& path) { return declarations->names(path); };
    return keys;
}

}  // namespace stillroom
