#include "engine/run/launch.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace {

void replace_all(std::string& word, std::string_view name, const std::string& value) {
    for (std::size_t at = word.find(name); at != std::string::npos;
         at = word.find(name, at + value.size()))
        word.replace(at, name.size(), value);
}

}  // namespace

LaunchShape launch_shape(const Launch& launch, int ranks) {
    LaunchShape shape;
    if (launch.ranks_per_node == 0) {
        shape.nodes = std::min(launch.nodes, ranks);
        shape.ranks_per_node = (ranks + shape.nodes - 1) / shape.nodes;
        return shape;
    }
    shape.ranks_per_node = std::min(launch.ranks_per_node, ranks);
    shape.nodes = (ranks + shape.ranks_per_node - 1) / shape.ranks_per_node;
    if (shape.nodes > launch.nodes)
        throw Error({},
                    fmt::format("{} do not fit on {} of {} each",
                                plural(static_cast<std::size_t>(ranks), "rank"),
                                plural(static_cast<std::size_t>(launch.nodes), "node"),
                                launch.ranks_per_node))
            .hint(fmt::format("launch.nodes={} or launch.ranks_per_node={}",
                              shape.nodes,
                              (ranks + launch.nodes - 1) / launch.nodes))
            .exit_code(kExitUsage);
    return shape;
}

std::vector<std::string> launch_words(const Launch& launch,
                                      int ranks,
                                      const std::vector<std::string>& worker) {
    LaunchShape shape = launch_shape(launch, ranks);
    std::vector<std::string> words;
    for (const std::string& written : launch.command) {
        if (written == "{worker}") {
            words.insert(words.end(), worker.begin(), worker.end());
            continue;
        }
        std::string word = written;
        replace_all(word, "{ranks}", std::to_string(ranks));
        replace_all(word, "{nodes}", std::to_string(shape.nodes));
        replace_all(word, "{ranks_per_node}", std::to_string(shape.ranks_per_node));
        words.push_back(std::move(word));
    }
    return words;
}

}  // namespace stillroom
