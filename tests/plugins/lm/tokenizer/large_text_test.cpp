#include "plugins/lm/tokenizer/large_text.h"

#include "engine/base/text.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>

using namespace stillroom;
using namespace stillroom::lm;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMost = std::size_t{8} << 20;

fs::path put(const TemporaryFolder& folder, const std::string& text) {
    fs::path path = folder.path() / "text";
    std::ofstream(path, std::ios::binary) << text;
    return path;
}

}  // namespace

TEST_CASE("a file is read whole, and told to be UTF-8, wherever its characters are cut") {
    TemporaryFolder folder;
    for (const char* unit : {"é", "中", "😀", "a中é😀"}) {
        for (std::size_t shift = 0; shift < 5; ++shift) {
            std::string text(shift, 'x');
            while (text.size() < (std::size_t{600} << 10))  // more than two parts of each half
                text += unit;
            std::optional<LargeText> read = LargeText::read(put(folder, text), kMost);
            REQUIRE(read);
            CHECK(read->is_utf8());
            CHECK(read->view() == text);
        }
    }
}

TEST_CASE("what is no UTF-8 is told wherever it stands") {
    TemporaryFolder folder;
    std::string sound;
    while (sound.size() < (std::size_t{600} << 10))
        sound += "中";
    constexpr std::size_t kPart = 256 << 10;
    std::size_t half = sound.size() / 2;
    for (std::size_t at : {std::size_t{0},
                           std::size_t{1},
                           kPart - 1,
                           kPart,
                           half - 2,
                           half - 1,
                           half,
                           half + 1,
                           half + 2,
                           half + kPart,
                           sound.size() - 1}) {
        for (char bad : {'\xFF', '\x80', '\xE4', 'a'}) {
            CAPTURE(at);
            std::string text = sound;
            text[at] = bad;
            std::optional<LargeText> read = LargeText::read(put(folder, text), kMost);
            REQUIRE(read);
            CHECK(read->is_utf8() == !find_invalid_utf8(text));
        }
    }
    sound.pop_back();
    CHECK_FALSE(LargeText::read(put(folder, sound), kMost)->is_utf8());
    CHECK_FALSE(LargeText::read(put(folder, "\x80\x80\x80\x80\x80\x80"), kMost)->is_utf8());
}

TEST_CASE("no file, too much of one, a folder or a pipe is nothing") {
    TemporaryFolder folder;
    fs::path path = put(folder, std::string(100, 'x'));
    CHECK(LargeText::read(path, 100));
    CHECK_FALSE(LargeText::read(path, 99));
    CHECK_FALSE(LargeText::read(folder.path(), 100));
    CHECK_FALSE(LargeText::read(folder.path() / "none", 100));
    fs::path pipe = folder.path() / "pipe";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK_FALSE(LargeText::read(pipe, 100));
}
