#pragma once

#include "engine/base/source.h"
#include "engine/document/node.h"

#include <functional>
#include <string>
#include <vector>

namespace stillroom {
class JsonWriter;
}

namespace stillroom::cli {

/// A place that set a value, and what it set.
struct SetBy {
    const Node* node = nullptr;
    std::string place;     ///< "recipe.yaml:8:11", "argv:3:1", or "the engine"
    std::string key = {};  ///< of another key that the value was taken from: "params.target"
};

/// All places that set a value, the oldest first: the last one is why it is what it is.
std::vector<SetBy> origins_of(const Node& value, const Sources& sources);

/// The same, and before it the places that set what a plain `${...}` leads to, hop by hop.
std::vector<SetBy> origins_through_references(const std::vector<std::string>& path,
                                              const Node& value,
                                              const NodePtr& composed,
                                              const Sources& sources);

/// `[{file, line, column, value}]`, with the key where it is another one.
void write_origins(JsonWriter& out, const std::vector<SetBy>& origins, const Sources& sources);

/// Each value of the tree that is no map with something in it, by its dotted path.
void for_each_leaf(const Node& root,
                   const std::function<void(const std::string& path, const Node& value)>& visit);

/// The tree as YAML, behind each value the places that set it, as comments.
std::string yaml_with_origins(const Node& root, const Sources& sources);

/// A path of keys split at the dots; `a[0]` is `a.0`.
std::vector<std::string> split_path(std::string_view path);

std::string join_path(const std::vector<std::string>& path);

/// A value on one line, as YAML, cut where it is long.
std::string one_line(const Node& value, std::size_t limit = 60);

}  // namespace stillroom::cli
