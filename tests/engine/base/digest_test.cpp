#include "engine/base/digest.h"

#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/base/trailing_digest.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <functional>

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

std::string raw(const std::string& hex) {
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2)
        bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return bytes;
}

/// The plain twin: our own SHA-256 over our own SHA-256s.
std::string plain_digest(const std::string& bytes) {
    std::string hashes;
    for (std::size_t at = 0; at < bytes.size(); at += kDigestChunk)
        hashes += raw(sha256_hex(std::string_view(bytes).substr(at, kDigestChunk)));
    return sha256_hex(hashes);
}

std::string message_of(const std::function<void()>& work, int exit_code) {
    try {
        work();
    } catch (const Error& error) {
        CHECK(error.exit_code() == exit_code);
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a digest is the hash of the hashes of chunks, by any number of threads") {
    TemporaryFolder folder;
    std::string large;
    while (large.size() < 2 * kDigestChunk + 12345)
        large += "some bytes that go on, " + std::to_string(large.size()) + "\n";
    for (std::size_t size : {std::size_t{0},
                             std::size_t{1},
                             kDigestChunk - 1,
                             kDigestChunk,
                             kDigestChunk + 1,
                             2 * kDigestChunk + 12345}) {
        std::string text = large.substr(0, size);
        fs::path file = folder.write("file", text);
        std::string wanted = plain_digest(text);
        CHECK(digest_file(file, 1).digest == wanted);
        CHECK(digest_file(file, 3).digest == wanted);
        CHECK(digest_of(text) == wanted);
        RunningDigest running;
        for (std::size_t at = 0; at < text.size(); at += 1'000'003)
            running.add(std::string_view(text).substr(at, 1'000'003));
        CHECK(running.hex() == wanted);
        CHECK(digest_file(file, 2).size == size);
    }
    CHECK(digest_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("a file is hashed behind its writer, however he goes on") {
    TemporaryFolder folder;
    std::string large;
    while (large.size() < 5 * kDigestChunk + 12345)
        large += "some bytes that go on, " + std::to_string(large.size()) + "\n";
    for (std::size_t size : {std::size_t{0},
                             std::size_t{1},
                             kDigestChunk + 1,
                             2 * kDigestChunk,
                             3 * kDigestChunk,
                             5 * kDigestChunk + 12345})
        for (std::size_t step : {std::size_t{1'000'003}, 2 * kDigestChunk, 5 * kDigestChunk}) {
            CAPTURE(size);
            CAPTURE(step);
            std::string text = large.substr(0, size);
            fs::path file = folder.write("file", "");
            TrailingDigest digest(file);
            std::ofstream out(file, std::ios::binary);
            for (std::size_t at = 0; at < size; at += step) {
                out << std::string_view(text).substr(at, step) << std::flush;
                digest.written(std::min(size, at + step));
            }
            CHECK(digest.hex() == plain_digest(text));
        }
    fs::path file = folder.write("short", large.substr(0, 2 * kDigestChunk));
    {
        TrailingDigest abandoned(file);
        abandoned.written(2 * kDigestChunk);
    }
    TrailingDigest digest(file);
    digest.written(4 * kDigestChunk);
    CHECK(message_of([&] { digest.hex(); }, kExitIntegrity).find("changed while it was read") !=
          std::string::npos);
    CHECK(message_of([&] { TrailingDigest none(folder.path() / "none"); }, kExitBadInput) ==
          "cannot read " + (folder.path() / "none").string() + ": No such file or directory");
}

TEST_CASE("a folder's identity is of names and contents only") {
    TemporaryFolder one;
    TemporaryFolder two;
    one.write("b/c.txt", "c"), one.write("a.txt", "a");
    two.write("a.txt", "a"), two.write("b/c.txt", "c");
    std::string digest = content_digest(digest_folder(one.path(), 2));
    CHECK(content_digest(digest_folder(two.path(), 1)) == digest);
    CHECK(digest_folder(one.path(), 1)[1].path == "b/c.txt");
    two.write("b/c.txt", "d");
    CHECK(content_digest(digest_folder(two.path(), 1)) != digest);
    fs::rename(one.path() / "a.txt", one.path() / "A.txt");
    CHECK(content_digest(digest_folder(one.path(), 1)) != digest);
}

TEST_CASE("links to files are followed, and nothing else that is no file") {
    TemporaryFolder blobs;
    TemporaryFolder folder;
    fs::create_symlink(blobs.write("1f", "text"), folder.path() / "model.txt");
    CHECK(digest_folder(folder.path(), 1).front().digest == digest_of("text"));
    auto fails = [&] {
        return message_of([&] { digest_folder(folder.path(), 1); }, kExitBadInput);
    };
    std::string what;
    SUBCASE("a folder above") {
        fs::create_directory_symlink("..", folder.path() / "up");
        what = "up: it is a link to a folder";
    }
    SUBCASE("nowhere") {
        fs::create_symlink("nothing", folder.path() / "gone");
        what = "gone: it leads nowhere, being a link to";
    }
    SUBCASE("a circle") {
        fs::create_symlink("round", folder.path() / "round");
        what = "round: ";
    }
    SUBCASE("a pipe") {
        ::mkfifo((folder.path() / "pipe").c_str(), 0666);
        what = "pipe: it is no file and no folder";
    }
    CHECK(fails().find(what) != std::string::npos);
}

TEST_CASE("M16: what is no readable file is refused by name") {
    TemporaryFolder folder;
    auto fails = [&](const fs::path& file) {
        return message_of([&] { digest_file(file, 2); }, kExitBadInput);
    };
    CHECK(fails(folder.path() / "none") ==
          "cannot read " + (folder.path() / "none").string() + ": no such file");
    CHECK(fails(folder.path()).find("it is a folder") != std::string::npos);
    ::mkfifo((folder.path() / "pipe").c_str(), 0666);
    CHECK(fails(folder.path() / "pipe").find("it is no regular file") != std::string::npos);
}
