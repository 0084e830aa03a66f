#include "plugins/lm/hub/hub_tree.h"

#include "tests/plugins/lm/hub/refusal.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

HubTree tree_of(const std::vector<std::string>& paths) {
    HubTree tree;
    for (const std::string& path : paths)
        tree.push_back({path, path.size(), std::string(40, 'a'), "", ""});
    return tree;
}

std::string chosen(const std::vector<std::string>& paths, HubPart part = HubPart::all) {
    std::string names;
    for (const HubFile& file : select_model_files(tree_of(paths), part, "model 'm'"))
        names += (names.empty() ? "" : " ") + file.path;
    return names;
}

std::string listing(const std::string& fields) {
    return R"([{"type": "file", "path": "a", "size": 3, "oid": ")" + std::string(40, 'b') + "\"" +
           fields + "}]";
}

TEST_CASE("a kept tree is read back, and written as it was read") {
    HubTree tree = tree_of({"a", "b/c"});
    tree[0].sha256 = std::string(64, '1');
    tree[0].xet_hash = std::string(64, '2');
    std::string text = kept_tree_text(tree);
    HubTree read = parse_kept_tree(text);
    REQUIRE(read.size() == 2);
    CHECK(read[0].etag() == std::string(64, '1'));
    CHECK(read[1].etag() == std::string(40, 'a'));
    CHECK(kept_tree_text(read) == text);
    for (const char* bad :
         {"",
          "[]",
          "{}",
          R"({"format_version": 2, "files": {}})",
          R"({"format_version": 1, "files": {"../a": {"size": 1, "blob_id": "x"}}})"})
        CHECK(refusal_of([&] { parse_kept_tree(bad); }).starts_with("3: "));
}

TEST_CASE("a listing gives a large file its own size and digest") {
    HubTree tree;
    add_listed_files(listing(R"(, "lfs": {"oid": ")" + std::string(64, 'c') + R"(", "size": 9})"),
                     tree);
    REQUIRE(tree.size() == 1);
    CHECK(tree[0].size == 9);
    CHECK(tree[0].etag() == std::string(64, 'c'));
    CHECK(tree[0].blob_id == std::string(40, 'b'));
}

TEST_CASE("a listing that cannot be is the network's fault") {
    HubTree tree;
    for (const std::string& bad :
         {std::string("no"),
          std::string("{}"),
          listing(R"(, "lfs": {"oid": "c", "size": 9})"),
          listing(R"(, "lfs": {"oid": "", "size": -9})"),
          std::string(R"([{"type": "file", "path": "a", "size": 1, "oid": "x"}])")})
        CHECK(refusal_of([&] { add_listed_files(bad, tree); }).starts_with("5: "));
    tree.clear();
    add_listed_files(listing(""), tree);
    CHECK(says(refusal_of([&] { add_listed_files(listing(""), tree); }), "'a' is listed twice"));
}

TEST_CASE("code, pickles and what lies in folders of a model is not chosen") {
    CHECK(chosen({"a.py",
                  "config.json",
                  "model.safetensors",
                  "original/model.safetensors",
                  "pytorch_model.bin",
                  "LICENSE",
                  "LICENSE.py",
                  "onnx/model.onnx",
                  "adapter.safetensors",
                  "additional_chat_templates/x.jinja",
                  "additional_chat_templates/x.py"}) ==
          "config.json LICENSE additional_chat_templates/x.jinja model.safetensors");
}

TEST_CASE("small files come first, and for a description alone") {
    std::vector<std::string> paths = {"config.json",
                                      "model-00001-of-00002.safetensors",
                                      "model-00002-of-00002.safetensors",
                                      "model.safetensors.index.json",
                                      "tokenizer.json"};
    CHECK(chosen(paths) ==
          "config.json model.safetensors.index.json tokenizer.json "
          "model-00001-of-00002.safetensors model-00002-of-00002.safetensors");
    CHECK(chosen(paths, HubPart::small_files) ==
          "config.json model.safetensors.index.json tokenizer.json");
    paths.push_back("model.safetensors");
    CHECK(chosen(paths).ends_with("tokenizer.json model.safetensors"));
}

TEST_CASE("weights that are pickles, or none, are refused") {
    CHECK(refusal_of([] { chosen({"config.json", "pytorch_model.bin"}); }).starts_with("10: "));
    CHECK(refusal_of([] { chosen({"config.json"}); }) == "3: model 'm' has no model*.safetensors");
}

TEST_CASE("another choice gets neither code nor pickles, the smallest first") {
    HubTree all = select_files(tree_of({"data.jsonl", "b.txt", "load.py", "x.pkl"}),
                               [](const HubFile&) { return true; });
    REQUIRE(all.size() == 2);
    CHECK(all[0].path == "b.txt");
}

}  // namespace
}  // namespace stillroom::lm
