#include "engine/base/durable.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/units.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <functional>

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

std::string message_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitResource);
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a file is written as a whole, over an older one, and leaves nothing beside it") {
    TemporaryFolder folder;
    write_file(folder.path() / "a.txt", "first");
    write_file(folder.path() / "a.txt", "second");
    CHECK(read_file(folder.path() / "a.txt", 100) == "second");
    CHECK(list_folder(folder.path()).size() == 1);
}

TEST_CASE("a write that fails names the path and why, and leaves nothing") {
    TemporaryFolder folder;
    fs::create_directory(folder.path() / "folder");
    CHECK(message_of([&] { write_file(folder.path() / "folder", "x"); }) ==
          "cannot write " + (folder.path() / "folder").string() + ": Is a directory");
    CHECK(list_folder(folder.path()).size() == 1);
    CHECK(message_of([&] {
              write_file(folder.path() / "none" / "a", "x");
          }).find("none/a: No such file or directory") != std::string::npos);
    CHECK(message_of([&] { make_folders("/proc/none/a"); }).find("cannot write /proc/none") == 0);
}

TEST_CASE("a full disk is named with what is free") {
    Descriptor full(::open("/dev/full", O_WRONLY));
    std::string message = message_of([&] { write_all(full, "x", "/tmp/a"); });
    CHECK(message.find("cannot write /tmp/a: No space left on device, ") == 0);
    CHECK(message.find(" free") == message.size() - 5);
}

TEST_CASE("a new file is never made through a link or over another") {
    TemporaryFolder folder;
    fs::create_symlink(folder.path() / "target", folder.path() / "link");
    CHECK(!message_of([&] { make_new_file(folder.path() / "link"); }).empty());
    CHECK(!fs::exists(folder.path() / "target"));
}

TEST_CASE("removing a tree removes read-only folders and links, not what links name") {
    TemporaryFolder folder;
    fs::create_directories(folder.path() / "tree/deep");
    std::ofstream(folder.path() / "tree/deep/a") << "x";
    std::ofstream(folder.path() / "kept") << "x";
    fs::create_symlink(folder.path() / "kept", folder.path() / "tree/link");
    fs::create_directory_symlink(folder.path(), folder.path() / "tree/up");
    fs::permissions(folder.path() / "tree/deep", fs::perms::owner_read);
    remove_tree(folder.path() / "tree");
    remove_tree(folder.path() / "tree");
    CHECK(list_folder(folder.path()) == std::vector<std::string>{"kept"});
}

TEST_CASE("a copy of a tree shares nothing with it") {
    TemporaryFolder folder;
    fs::create_directories(folder.path() / "from/deep");
    std::ofstream(folder.path() / "from/deep/a") << "text";
    fs::permissions(folder.path() / "from/deep/a", fs::perms::owner_read);
    copy_tree(folder.path() / "from", folder.path() / "to");
    CHECK(read_file(folder.path() / "to/deep/a", 10) == "text");
    struct stat a {};
    struct stat b {};
    ::stat((folder.path() / "from/deep/a").c_str(), &a);
    ::stat((folder.path() / "to/deep/a").c_str(), &b);
    CHECK(a.st_ino != b.st_ino);
    CHECK(a.st_nlink == 1);
    CHECK((b.st_mode & 0200) == 0200);
    CHECK(!message_of([&] { copy_tree(folder.path() / "from", folder.path() / "to"); }).empty());
}

TEST_CASE("sizes are printed in both units") {
    CHECK(size_text(0) == "0 bytes");
    CHECK(size_text(1) == "1 byte");
    CHECK(size_text(1000) == "1.0 kB");
    CHECK(size_text(1536) == "1.5 kB / 1.5 KiB");
    CHECK(size_text(5'000'000'000) == "5.0 GB / 4.7 GiB");
    CHECK(size_text(999'999) == "1.0 MB / 976.6 KiB");
    CHECK(size_text(1ULL << 50) == "1.1 PB / 1.0 PiB");
}

TEST_CASE("times are UTC and compare as text") {
    CHECK(utc_text(0, 1000) == "1970-01-01T00:00:00.000001Z");
    CHECK(utc_text(2'208'988'800, 0) == "2040-01-01T00:00:00.000000Z");
    CHECK(utc_now() > "2025");
}
