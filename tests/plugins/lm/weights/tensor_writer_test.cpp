#include "plugins/lm/weights/tensor_writer.h"

#include "engine/base/files.h"
#include "tests/engine/temporary_folder.h"
#include "tests/plugins/lm/weights/listening_context.h"
#include "tests/plugins/lm/weights/refusal.h"
#include "tests/plugins/lm/weights/tensor_text.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& path) {
    return read_file(path, std::size_t{1} << 30);
}

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

NewTensor made(std::string name, std::string text) {
    NewTensor tensor;
    tensor.info.name = std::move(name);
    tensor.info.dtype = Dtype::u8;
    tensor.info.shape = {static_cast<std::int64_t>(text.size())};
    tensor.make = [text](const WriteBytes& write) {
        write(bytes_of(text).first(text.size() / 2));
        write(bytes_of(text).subspan(text.size() / 2));
    };
    return tensor;
}

std::vector<NewTensor> abc() {
    return {made("a", "aaaa"), made("b", "bbbb"), made("c", "cc")};
}

SaveOptions limit(std::uint64_t bytes) {
    SaveOptions options;
    options.max_shard_size = bytes;
    return options;
}

std::string names_in(const fs::path& folder) {
    std::string out;
    for (const std::string& name : list_folder(folder))
        out += (out.empty() ? "" : " ") + name;
    return out;
}

std::string letters_of(const TensorFolder& folder) {
    std::string out;
    for (const char* name : {"a", "b", "c"})
        out += text_of(folder.at(name).bytes());
    return out;
}

TEST_CASE("the file of the format's own library is written again, byte for byte") {
    fs::path golden = fs::path(STILLROOM_REFERENCE) / "safetensors/golden.safetensors";
    TemporaryFolder folder;
    fs::create_directory(folder / "in");
    fs::copy_file(golden, folder / "in/model.safetensors");
    TensorFolder in = TensorFolder::open(folder / "in");
    std::vector<NewTensor> copied, again;
    for (const FolderTensor& tensor : in.tensors()) {
        copied.push_back(unchanged(tensor));
        again.push_back({*tensor.info, {}, [&in, name = tensor.info->name](const auto& write) {
                             write(in.at(name).bytes());
                         }});
    }
    ListeningContext context;
    save_model(folder / "a", copied, {});
    save_model(folder / "b", again, {});
    fs::create_directory(folder / "c");
    save_model(context, folder / "c", copied, {});
    save_tensors(context, folder / "d.safetensors", again, kTorchFormat);
    for (const char* name :
         {"a/model.safetensors", "b/model.safetensors", "c/model.safetensors", "d.safetensors"})
        CHECK(content(folder / name) == content(golden));
    CHECK(context.digests.at("model.safetensors") == digest_file(golden, 1).digest);
    CHECK(context.digests.at("d.safetensors") == digest_file(golden, 1).digest);
}

TEST_CASE("shards and index are read back bit for bit, with the digests of all files") {
    TemporaryFolder folder;
    std::vector<FileRecord> records = save_model(folder / "out", abc(), limit(6));
    CHECK(names_in(folder / "out") ==
          "model-00001-of-00002.safetensors model-00002-of-00002.safetensors "
          "model.safetensors.index.json");
    TensorFolder out = TensorFolder::open(folder / "out");
    CHECK(letters_of(out) == "aaaabbbbcc");
    CHECK(out.at("c").file->path().filename() == "model-00002-of-00002.safetensors");
    CHECK(out.files()[0].metadata()[0].second == "pt");
    REQUIRE(records.size() == 3);
    for (const FileRecord& record : records) {
        CHECK(record.digest == digest_file(folder / "out" / record.path, 1).digest);
        CHECK(record.stamp == stamp_of(folder / "out" / record.path));
    }

    std::vector<NewTensor> same;
    for (const FolderTensor& tensor : out.tensors())
        same.push_back(unchanged(tensor));
    save_model(folder / "again", same, limit(6));
    for (const std::string& name : list_folder(folder / "out"))
        CHECK(content(folder / "again" / name) == content(folder / "out" / name));

    ListeningContext context;
    fs::create_directory(folder / "stage");
    save_model(context, folder / "stage", same, limit(6));
    CHECK(context.digests.size() == 2);
    for (const std::string& name : list_folder(folder / "out"))
        CHECK(content(folder / "stage" / name) == content(folder / "out" / name));
}

TEST_CASE("files may be read by all that the umask lets") {
    TemporaryFolder folder;
    mode_t before = ::umask(027);
    save_model(folder / "out", abc(), limit(6));
    ::umask(before);
    for (const std::string& name : list_folder(folder / "out")) {
        struct stat status {};
        REQUIRE(::stat((folder / "out" / name).c_str(), &status) == 0);
        CHECK((status.st_mode & 0777) == 0640);
    }
}

TEST_CASE("tensors are made one by one in the order of the file, and told of") {
    TemporaryFolder folder;
    std::string order;
    std::vector<NewTensor> tensors = abc();
    std::swap(tensors[0], tensors[1]);
    tensors[2].info.dtype = Dtype::bf16;
    tensors[2].info.shape = {1};
    for (NewTensor& tensor : tensors)
        tensor.make = [&order, name = tensor.info.name, make = tensor.make](const auto& write) {
            order += name;
            make(write);
        };
    SaveOptions options;
    std::string told;
    options.progress = [&](std::uint64_t done, std::uint64_t total) {
        told += fmt::format("{}/{} ", done, total);
    };
    save_model(folder / "out", tensors, options);
    CHECK(order == "cab");
    CHECK(told == "2/10 6/10 10/10 ");
}

TEST_CASE("O2: shards and index of an older save go when the new one is whole") {
    TemporaryFolder folder;
    fs::path out = folder / "out";
    save_model(out, abc(), limit(1));
    for (const char* name :
         {"model-1-of-3.safetensors", "other.safetensors", "model-00001-of-00003.safetensors.bak"})
        folder.write(fs::path("out") / name, "not ours");
    save_model(out, {made("a", "xxxx"), made("b", "yyyy"), made("c", "zz")}, limit(6));
    CHECK(letters_of(TensorFolder::open(out)) == "xxxxyyyyzz");
    CHECK(names_in(out) ==
          "model-00001-of-00002.safetensors model-00001-of-00003.safetensors.bak "
          "model-00002-of-00002.safetensors model-1-of-3.safetensors model.safetensors.index.json "
          "other.safetensors");
    save_model(out, abc(), limit(100));
    CHECK(letters_of(TensorFolder::open(out)) == "aaaabbbbcc");
    CHECK(names_in(out) ==
          "model-00001-of-00003.safetensors.bak model-1-of-3.safetensors "
          "model.safetensors other.safetensors");
    save_model(out, abc(), limit(6));
    CHECK(letters_of(TensorFolder::open(out)) == "aaaabbbbcc");
    CHECK_FALSE(fs::exists(out / "model.safetensors"));
}

TEST_CASE("a save that fails leaves the older one as it was, and nothing of its own") {
    TemporaryFolder folder;
    fs::path out = folder / "out";
    save_model(out, abc(), limit(6));
    std::string names = names_in(out);
    std::vector<NewTensor> broken = {made("a", "xxxx"), made("b", "yyyy"), made("c", "zz")};
    broken[2].make = [](const WriteBytes&) { throw Error({}, "broken").exit_code(6); };
    CHECK(refusal_of([&] { save_model(out, broken, limit(6)); }) == "6: broken");
    CHECK(names_in(out) == names);
    CHECK(letters_of(TensorFolder::open(out)) == "aaaabbbbcc");
    SaveOptions stopped = limit(6);
    stopped.progress = [](auto, auto) { throw Error({}, "stopped").exit_code(75); };
    CHECK(refusal_of([&] { save_model(out, abc(), stopped); }) == "75: stopped");
    CHECK(names_in(out) == names);
    ListeningContext context;
    CHECK(refusal_of([&] { save_tensors(context, folder / "x", broken, {}); }) == "6: broken");
    CHECK_FALSE(fs::exists(folder / "x"));
}

TEST_CASE("a folder whose shards were renamed in part is refused, never taken for a model") {
    TemporaryFolder folder;
    fs::path out = folder / "out";
    save_model(out, abc(), limit(6));
    // The second one cannot get its name.
    fs::remove(out / "model-00002-of-00002.safetensors");
    folder.write("out/model-00002-of-00002.safetensors/x", "");
    std::vector<NewTensor> other = {made("a", "xxxx"), made("b", "yyyy"), made("c", "zz")};
    CHECK(refusal_of([&] { save_model(out, other, limit(6)); }).starts_with("4: cannot write "));
    CHECK(names_in(out) == "model-00001-of-00002.safetensors model-00002-of-00002.safetensors");
    CHECK(refusal_of([&] { TensorFolder::open(out); }).starts_with("3: "));
}

TEST_CASE("a tensor of another file system is copied too") {
    TemporaryFolder folder;
    int fd = ::memfd_create("in", 0);
    REQUIRE(fd >= 0);
    std::string text(5'000'000, '\0');
    for (std::size_t i = 0; i < text.size(); ++i)
        text[i] = static_cast<char>(i % 251);
    std::string header = R"({"a":{"dtype":"U8","shape":[5000000],"data_offsets":[0,5000000]}})";
    std::string whole = safetensors_text(header, text);
    REQUIRE(::write(fd, whole.data(), whole.size()) == static_cast<ssize_t>(whole.size()));
    TensorFile in = TensorFile::open("/proc/self/fd/" + std::to_string(fd));
    save_model(folder / "out", {unchanged({&in, &in.at("a")})}, {});
    CHECK(text_of(TensorFolder::open(folder / "out").at("a").bytes()) == text);
    ::close(fd);
}

TEST_CASE("a tensor that is given more or fewer bytes than it has is a fault of ours") {
    TemporaryFolder folder;
    NewTensor a = made("a", "aaaa");
    for (std::int64_t size : {3, 5}) {
        a.info.shape = {size};
        CHECK(refusal_of([&] { save_model(folder / "out", {a}, {}); }) ==
              fmt::format("70: tensor 'a' is U8 [{0}], of {0} bytes, and was given 4", size));
    }
    save_model(folder / "in", abc(), {});
    TensorFolder in = TensorFolder::open(folder / "in");
    NewTensor wide = unchanged(in.at("a"));
    wide.info.dtype = Dtype::f32;
    CHECK(refusal_of([&] { save_model(folder / "out", {wide}, {}); }).ends_with("was given 4"));
    CHECK(names_in(folder / "out").empty());
}

TEST_CASE("O1: a model is never written into the folder it is read from") {
    TemporaryFolder folder;
    save_model(folder / "in", abc(), {});
    TensorFolder in = TensorFolder::open(folder / "in");
    fs::create_symlink("in", folder / "link");
    for (const char* name : {"in", "link", "in/../in"}) {
        CHECK(refusal_of([&] {
                  save_model(folder / name, {unchanged(in.at("a"))}, {});
              }).starts_with("2: "));
        CHECK(refusal_of([&] {
                  copy_model(in, folder / name, {});
              }).ends_with("is the folder that is read"));
    }
}

TEST_CASE("a folder without a change is copied file by file") {
    TemporaryFolder folder;
    fs::path in = folder / "in";
    save_model(in, abc(), limit(6));
    // Bytes that we would not write: another order of keys, blanks, an index of its own look.
    std::string header = R"({ "c" : {"shape":[2], "dtype":"U8","data_offsets":[0,2] } })";
    fs::create_directory(in / "sub");
    fs::remove(in / "model-00002-of-00002.safetensors");
    std::string index = R"({"weight_map": {"a": "model-00001-of-00002.safetensors",
        "b": "sub/2.safetensors", "c": "sub/1.safetensors"}})";
    folder.write("in/sub/1.safetensors", safetensors_text(header, "cc"));
    header = R"({"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";
    folder.write("in/sub/2.safetensors", safetensors_text(header, "bbbb"));
    folder.write("in/model.safetensors.index.json", index);
    TensorFolder model = TensorFolder::open(in);
    CHECK(copy_model(model, folder / "out", {}).size() == 4);
    ListeningContext context;
    fs::create_directory(folder / "stage");
    copy_model(model, context, folder / "stage", {});
    for (const char* to : {"out", "stage"}) {
        CHECK(letters_of(TensorFolder::open(folder / to)) == "aaaabbbbcc");
        for (const char* name : {"model-00001-of-00002.safetensors",
                                 "sub/1.safetensors",
                                 "sub/2.safetensors",
                                 "model.safetensors.index.json"})
            CHECK(content(folder / to / name) == content(in / name));
    }
}

TEST_CASE("M16: a file that shrinks while it is copied spoils no output") {
    TemporaryFolder folder;
    save_model(folder / "in", {made("a", std::string(100'000, 'a'))}, {});
    TensorFolder in = TensorFolder::open(folder / "in");
    fs::resize_file(folder / "in/model.safetensors", 20'000);
    std::vector<NewTensor> tensors = {unchanged(in.at("a"))};
    ListeningContext context;
    CHECK(refusal_of([&] { save_model(folder / "out", tensors, {}); }).starts_with("3: "));
    CHECK(refusal_of([&] { save_tensors(context, folder / "x", tensors, {}); }).starts_with("3: "));
    CHECK(names_in(folder / "out").empty());
    CHECK_FALSE(fs::exists(folder / "x"));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
std::uint64_t status_bytes(std::string_view field) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(field))
            return std::stoull(line.substr(field.size() + 1)) * 1024;
    return 0;
}

TEST_CASE("peak memory of making and of copying is a tensor, not a model") {
    constexpr std::size_t kTensor = std::size_t{8} << 20, kCount = 10;
    constexpr std::uint64_t kSlack = std::uint64_t{40} << 20;  // chunks that are hashed, the test
    TemporaryFolder folder;
    fs::create_directory(folder / "stage");
    // In a process of its own, so that the peak is its own.
    pid_t child = ::fork();
    if (child == 0) {
        std::uint64_t before = status_bytes("VmRSS:");
        int code = 0;
        try {
            std::vector<NewTensor> tensors;
            for (std::size_t i = 0; i < kCount; ++i) {
                NewTensor& tensor = tensors.emplace_back();
                tensor.info = {std::to_string(i), Dtype::u8, {kTensor}, 0, 0};
                tensor.make = [i](const WriteBytes& write) {
                    write(bytes_of(std::string(kTensor, static_cast<char>(i + 1))));
                };
            }
            ListeningContext context;
            save_model(folder / "in", tensors, {});
            TensorFolder in = TensorFolder::open(folder / "in");
            tensors.clear();
            for (const FolderTensor& tensor : in.tensors())
                tensors.push_back(unchanged(tensor));
            save_model(folder / "out", tensors, {});
            save_model(context, folder / "stage", tensors, {});
        } catch (...) {
            code = 2;
        }
        if (code == 0 && status_bytes("VmHWM:") - before > kTensor + kSlack)
            code = 1;
        ::_exit(code);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}
#endif

}  // namespace
}  // namespace stillroom::lm
