#include "plugins/lm/weights/tensor_folder.h"

#include "tests/engine/temporary_folder.h"
#include "tests/plugins/lm/weights/refusal.h"
#include "tests/plugins/lm/weights/tensor_text.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;

/// A file of tensors of one byte each, named and filled by letters.
std::string letters(std::string_view names) {
    std::string header = "{";
    for (std::size_t i = 0; i < names.size(); ++i)
        header += fmt::format(R"({}"{}":{{"dtype":"U8","shape":[1],"data_offsets":[{},{}]}})",
                              i ? "," : "",
                              names[i],
                              i,
                              i + 1);
    return safetensors_text(header + "}", names);
}

std::string index_of(std::string_view map, std::string_view metadata = R"({"total_size": 3})") {
    return fmt::format(R"({{"metadata": {}, "weight_map": {{{}}}}})", metadata, map);
}

struct Sharded {
    Sharded() {
        folder.write("model-1.safetensors", letters("ca"));
        folder.write("model-2.safetensors", letters("b"));
        index(index_of(kMap));
    }
    void index(std::string_view text) const { folder.write(kModelIndex, text); }
    /// Without the folder's name.
    std::string said() const {
        std::string text = refusal_of([&] { TensorFolder::open(folder.path()); });
        std::string name = folder.path().string();
        for (std::size_t at; (at = text.find(name)) != std::string::npos;)
            text.replace(at, name.size(), "F");
        return text;
    }

    static constexpr std::string_view kMap =
        R"("a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors")";
    TemporaryFolder folder;
};

const std::string kIn = "3: cannot read F/model.safetensors.index.json: ";

TEST_CASE("a folder with one file is that file") {
    TemporaryFolder folder;
    folder.write("model.safetensors", letters("ba"));
    TensorFolder opened = TensorFolder::open(folder.path());
    CHECK_FALSE(opened.has_index());
    CHECK(opened.files().size() == 1);
    CHECK(opened.tensors().size() == 2);
    CHECK(opened.tensors()[0].info->name == "b");
    CHECK(opened.tensor_bytes() == 2);
    CHECK(text_of(opened.at("a").bytes()) == "a");
    CHECK_FALSE(opened.find("c"));
    CHECK(refusal_of([&] { opened.at("c"); }) ==
          "3: " + folder.path().string() + " holds no tensor 'c'");
}

/// A file of tensors of one byte each, filled with a, b, ...
std::string bytes_named(const std::vector<std::string>& names) {
    std::string header, bytes;
    for (std::size_t i = 0; i < names.size(); ++i) {
        header += fmt::format(R"({}"{}":{{"dtype":"U8","shape":[1],"data_offsets":[{},{}]}})",
                              i ? "," : "",
                              names[i],
                              i,
                              i + 1);
        bytes += static_cast<char>('a' + i);
    }
    return safetensors_text("{" + header + "}", bytes);
}

TEST_CASE("a decoder among other towers has the names that it has alone") {
    TemporaryFolder folder;
    folder.write("model.safetensors",
                 bytes_named({"language_model.lm_head.weight",
                              "language_model.model.norm.weight",
                              "multi_modal_projector.x",
                              "vision_tower.y",
                              "mtp.z"}));
    TensorFolder opened = TensorFolder::open(folder.path());
    CHECK(opened.is_multimodal());
    CHECK(opened.left_out() ==
          std::vector<std::string>{"multi_modal_projector.x", "vision_tower.y"});
    CHECK(opened.tensors().size() == 3);
    CHECK(opened.tensor_bytes() == 3);
    CHECK(text_of(opened.at("lm_head.weight").bytes()) == "a");
    CHECK(text_of(opened.at("model.norm.weight").bytes()) == "b");
    TensorFolder moved = std::move(opened);
    CHECK(text_of(moved.at("model.norm.weight").bytes()) == "b");

    folder.write("model.safetensors",
                 bytes_named({"lm_head.weight", "model.language_model.norm.weight"}));
    opened = TensorFolder::open(folder.path());
    CHECK(text_of(opened.at("lm_head.weight").bytes()) == "a");
    CHECK(text_of(opened.at("model.norm.weight").bytes()) == "b");

    folder.write("model.safetensors",
                 bytes_named({"model.norm.weight", "model.language_model.norm.weight"}));
    CHECK(refusal_of([&] { TensorFolder::open(folder.path()); }).find("under two names") !=
          std::string::npos);
}

TEST_CASE("shards are found by their index, and keep their tensors when the folder moves") {
    Sharded model;
    TensorFolder opened = TensorFolder::open(model.folder.path());
    TensorFolder moved = std::move(opened);
    CHECK(moved.has_index());
    REQUIRE(moved.files().size() == 2);
    std::string order;
    for (const FolderTensor& tensor : moved.tensors())
        order += tensor.info->name + text_of(tensor.bytes()).data()[0];
    CHECK(order == "ccaabb");
    CHECK(text_of(moved.at("b").bytes()) == "b");
    CHECK(moved.at("b").file->path().filename() == "model-2.safetensors");
    moved.check();
}

TEST_CASE("an index without sizes, or that names the whole file, is fine") {
    Sharded model;
    model.index(index_of(Sharded::kMap, "{}"));
    CHECK(model.said() == "nothing");
    model.index(index_of(Sharded::kMap, R"({"total_size": 3.0, "total_parameters": 3})"));
    CHECK(model.said() == "nothing");
    model.folder.write("model.safetensors", letters("z"));
    CHECK(model.said() ==
          "3: cannot read F: it holds both model.safetensors and an index that does not name it");
    model.index(index_of(R"("z": "model.safetensors")", "{}"));
    CHECK(model.said() == "nothing");
}

TEST_CASE("M8: a tensor lies in the shard that the index names and in no other") {
    Sharded model;
    model.folder.write("model-2.safetensors", letters("bd"));
    CHECK(
        model.said() ==
        "3: cannot read F/model-2.safetensors: it holds tensor 'd', which the index does not name");
    model.folder.write("model-2.safetensors", letters("ba"));
    CHECK(model.said() ==
          "3: cannot read F/model-2.safetensors: it holds tensor 'a', which lies in "
          "model-1.safetensors by the index");
    model.folder.write("model-2.safetensors", letters("b"));
    model.folder.write("model-1.safetensors", letters("c"));
    CHECK(model.said() == kIn + "tensor 'a' is not in model-1.safetensors");
}

TEST_CASE("M8: a missing shard is named, with what it holds") {
    Sharded model;
    fs::remove(model.folder / "model-1.safetensors");
    CHECK(model.said() ==
          kIn + "1 of its 2 shards missing, with 2 of 3 tensors: model-1.safetensors");
    std::string map;
    for (int i = 0; i < 9; ++i)
        map += fmt::format(R"({}"{}": "{}.safetensors")", i ? ", " : "", i, i);
    model.index(index_of(map));
    CHECK(model.said() == kIn +
                              "9 of its 9 shards missing, with 9 of 9 tensors: 0.safetensors, "
                              "1.safetensors, 2.safetensors, 3.safetensors and 5 more");
}

TEST_CASE("M8: a shard's name may not lead out of the folder") {
    for (const char* name : {"../x.safetensors",
                             "a/../../x.safetensors",
                             "/abs/x.safetensors",
                             "..\\\\x.safetensors",
                             "C:x.safetensors",
                             "C:/x.safetensors",
                             "//host/x.safetensors",
                             "\\\\\\\\host\\\\x.safetensors",
                             "../../etc/shadow",
                             "a/.."}) {
        Sharded model;
        model.index(index_of(fmt::format(R"("a": "{}")", name)));
        CAPTURE(name);
        std::string said = model.said();
        CHECK(said.starts_with("10: cannot read F/model.safetensors.index.json: shard '"));
        CHECK(said.ends_with("' leads out of the folder"));
    }
    for (const char* name : {"x.bin", "", "model.safetensors.bin"}) {
        Sharded model;
        model.index(index_of(fmt::format(R"("a": "{}")", name)));
        CHECK(model.said() == kIn + fmt::format("shard '{}' is no .safetensors file", name));
    }
    Sharded model;
    model.index(index_of(R"("a": "x.bin\u0000.safetensors")"));
    CHECK(model.said() ==
          kIn + "shard 'x.bin\\x00.safetensors' has a control character in its name");
}

TEST_CASE("a shard may lie in a folder below, or be a link as in a Hub snapshot") {
    Sharded model;
    fs::create_directory(model.folder / "blobs");
    fs::rename(model.folder / "model-1.safetensors", model.folder / "blobs/abc");
    fs::create_symlink("blobs/abc", model.folder / "model-1.safetensors");
    CHECK(model.said() == "nothing");
    fs::create_directory(model.folder / "sub");
    fs::rename(model.folder / "model-2.safetensors", model.folder / "sub/2.safetensors");
    model.index(index_of(
        R"("a": "model-1.safetensors", "b": "sub/2.safetensors", "c": "model-1.safetensors")"));
    CHECK(model.said() == "nothing");
}

TEST_CASE("M16: a pipe, a folder, a dangling link as shard are refused without waiting") {
    Sharded model;
    fs::path shard = model.folder / "model-2.safetensors";
    fs::remove(shard);
    REQUIRE(::mkfifo(shard.c_str(), 0600) == 0);
    CHECK(model.said() == "3: cannot read F/model-2.safetensors: it is a pipe");
    fs::remove(shard);
    fs::create_directory(shard);
    CHECK(model.said() == "3: cannot read F/model-2.safetensors: it is a folder");
    fs::remove(shard);
    fs::create_symlink("nowhere", shard);
    CHECK(model.said() == "3: cannot read F/model-2.safetensors: no such file");
    fs::remove(shard);
    fs::create_symlink("model-2.safetensors", shard);
    CHECK(model.said().starts_with("3: cannot read F/model-2.safetensors: "));
}

TEST_CASE("an index that is none, or whose sizes differ, is refused") {
    Sharded model;
    model.index(index_of(Sharded::kMap, R"({"total_size": 4})"));
    CHECK(model.said() == kIn + "its total_size is 4, the tensors take 3 bytes");
    model.index(index_of(Sharded::kMap, R"({"total_size": -3})"));
    CHECK(model.said().starts_with(kIn + "its total_size is"));
    model.index(index_of(Sharded::kMap, R"({"total_size": "3"})"));
    CHECK(model.said() == kIn + "expected a whole number, not '3'");
    model.index("{");
    CHECK(model.said() == kIn + "no JSON: line 1, column 2: expected a key in quotes");
    model.index("{}");
    CHECK(model.said() == kIn + "the key 'weight_map' is missing");
    model.index(R"({"weight_map": []})");
    CHECK(model.said() == kIn + "expected a map, not a list");
    model.index(index_of(""));
    CHECK(model.said() == kIn + "its weight_map names no tensor");
    model.index(index_of(R"("a": 1)"));
    CHECK(model.said() == kIn + "expected text, not '1'");
    model.index(index_of(R"("a": "x.safetensors", "a": "y.safetensors")"));
    CHECK(model.said().find("the key 'a' is here twice") != std::string::npos);
    fs::remove(model.folder / std::string(kModelIndex));
    fs::create_directory(model.folder / std::string(kModelIndex));
    CHECK(model.said() == kIn + "it is a folder");
}

TEST_CASE("M13: weights that are pickle alone are refused, with the command that converts them") {
    TemporaryFolder folder;
    folder.write("pytorch_model.bin", "PK");
    try {
        TensorFolder::open(folder.path());
        FAIL("opened");
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitPolicy);
        CHECK(std::string(error.what()).find("pickle alone (pytorch_model.bin)") !=
              std::string::npos);
        CHECK(error.hint_text().ends_with(fmt::format(
            "save_pretrained(sys.argv[2])\" '{0}' '{0}-safetensors'", folder.path().string())));
    }
    folder.write("model.safetensors", letters("a"));
    CHECK(TensorFolder::open(folder.path()).tensors().size() == 1);
}

TEST_CASE("a folder without weights, or none at all, is refused") {
    TemporaryFolder folder;
    auto said = [&](const fs::path& path) { return refusal_of([&] { TensorFolder::open(path); }); };
    std::string name = folder.path().string();
    CHECK(said(folder.path()) ==
          "3: cannot read " + name +
              ": it holds neither model.safetensors nor model.safetensors.index.json");
    CHECK(said(folder / "no") == "3: cannot read " + name + "/no: no such folder");
    CHECK(said(folder.write("x.gguf", "")) ==
          "3: cannot read " + name + "/x.gguf: it is no folder");
}

}  // namespace
}  // namespace stillroom::lm
