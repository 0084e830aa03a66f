// Any bytes are a list of files, a hub's or a kept one. What is accepted names files below a folder
// only, each once, and is read back from what is kept of it.

#include "engine/base/error.h"
#include "plugins/lm/hub/hub_tree.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

namespace {

using namespace stillroom::lm;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

void use(const HubTree& tree) {
    for (std::size_t i = 0; i < tree.size(); ++i) {
        std::string path = (std::filesystem::path("/folder") / tree[i].path).lexically_normal();
        require(path == "/folder/" + tree[i].path, "a file lies below its folder");
        require(path.find('\0') == std::string::npos, "a path is not cut");
        require(i == 0 || tree[i - 1].path < tree[i].path, "each is there once");
    }
    std::string text = kept_tree_text(tree);
    HubTree again = parse_kept_tree(text);
    require(again.size() == tree.size() && kept_tree_text(again) == text, "it is read back");
    for (const HubFile& file : select_files(tree, [](const HubFile&) { return true; }))
        require(!file.path.ends_with(".py") && !file.path.ends_with(".bin"), "no code, no pickle");
}

void accepted(const std::function<HubTree()>& read, int exit_code) {
    HubTree tree;
    try {
        tree = read();
    } catch (const stillroom::Error& error) {
        require(error.exit_code() == exit_code, "the fault is whose it is");
        return;
    }
    use(tree);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    accepted([&] { return parse_kept_tree(text); }, stillroom::kExitBadInput);
    accepted(
        [&] {
            HubTree tree;
            add_listed_files(text, tree);
            return tree;
        },
        stillroom::kExitNetwork);
    return 0;
}
