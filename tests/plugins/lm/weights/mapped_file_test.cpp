#include "plugins/lm/weights/mapped_file.h"

#include "engine/base/error.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <array>
#include <cstring>
#include <functional>

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;

std::string refusal(const std::function<void()>& act) {
    try {
        act();
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitBadInput);
        return error.what();
    }
    return "nothing";
}

TEST_CASE("a mapped file holds its bytes and reads any range of them") {
    TemporaryFolder folder;
    MappedFile file = MappedFile::open(folder.write("a", "0123456789"));
    REQUIRE(file.size() == 10);
    CHECK(std::memcmp(file.bytes().data(), "0123456789", 10) == 0);
    std::array<std::byte, 3> some;
    file.read(7, some);
    CHECK(std::memcmp(some.data(), "789", 3) == 0);
    file.forget(0, 10);
    file.check();
    CHECK(std::memcmp(file.bytes().data(), "0123456789", 10) == 0);
    CHECK(MappedFile::open(folder.write("empty", "")).bytes().empty());
}

TEST_CASE("M16: what is no regular file is refused without waiting for it") {
    TemporaryFolder folder;
    REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
    fs::create_symlink("nowhere", folder / "dangling");
    fs::create_symlink("loop", folder / "loop");
    auto open = [&](const fs::path& path) { return refusal([&] { MappedFile::open(path); }); };
    CHECK(open(folder / "pipe").ends_with("pipe: it is a pipe"));
    CHECK(open(folder.path()).ends_with("it is a folder"));
    CHECK(open(folder / "dangling").ends_with("dangling: no such file"));
    CHECK(open(folder / "loop").find("loop: ") != std::string::npos);
    CHECK(open("/dev/zero") == "cannot read /dev/zero: it is no regular file");
}

TEST_CASE("M16: a file that shrinks while it is mapped is an error, not a dead process") {
    TemporaryFolder folder;
    fs::path path = folder.write("a", std::string(100000, 'x'));
    MappedFile file = MappedFile::open(path);
    CHECK(file.bytes()[50000] == std::byte{'x'});
    fs::resize_file(path, 5000);
    CHECK(file.bytes()[90000] == std::byte{0});
    std::string cut = path.string() + ": it was cut from 100000 to 5000 bytes while it was read";
    CHECK(refusal([&] { file.check(); }) == "cannot read " + cut);
    std::array<std::byte, 10> some;
    file.read(4990, some);
    CHECK(refusal([&] { file.read(4995, some); }) == "cannot read " + cut);
    // What it lost stays known, even if it grows again.
    fs::resize_file(path, 100000);
    CHECK(refusal([&] { file.check(); }).starts_with("cannot read "));
}

}  // namespace
}  // namespace stillroom::lm
