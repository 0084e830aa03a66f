#include "engine/base/text.h"

#include "engine/base/json.h"
#include "engine/base/utf8_runs.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <random>

using namespace stillroom;

TEST_CASE("invalid UTF-8 is found at its first byte") {
    CHECK_FALSE(find_invalid_utf8("a\xC3\xA9\xF0\x9F\x98\x80z"));
    CHECK(find_invalid_utf8("ab\xC0\xAF") == 2);         // overlong
    CHECK(find_invalid_utf8("\xED\xA0\x80") == 0);       // a surrogate
    CHECK(find_invalid_utf8("x\xF4\x90\x80\x80") == 1);  // past U+10FFFF
    CHECK(find_invalid_utf8("x\xE2\x82") == 1);          // cut
}

namespace {

/// The table of RFC 3629, a character at a time.
std::optional<std::size_t> invalid_by_the_book(std::string_view text) {
    struct Form {
        unsigned first, last, low, high;  // the lead; the byte behind it
        std::size_t size;
    };
    constexpr Form kForms[] = {{0x00, 0x7F, 0, 0, 1},
                               {0xC2, 0xDF, 0x80, 0xBF, 2},
                               {0xE0, 0xE0, 0xA0, 0xBF, 3},
                               {0xE1, 0xEC, 0x80, 0xBF, 3},
                               {0xED, 0xED, 0x80, 0x9F, 3},
                               {0xEE, 0xEF, 0x80, 0xBF, 3},
                               {0xF0, 0xF0, 0x90, 0xBF, 4},
                               {0xF1, 0xF3, 0x80, 0xBF, 4},
                               {0xF4, 0xF4, 0x80, 0x8F, 4}};
    auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    for (std::size_t at = 0; at < text.size();) {
        const Form* form = std::find_if(std::begin(kForms), std::end(kForms), [&](const Form& f) {
            return byte(at) >= f.first && byte(at) <= f.last;
        });
        if (form == std::end(kForms) || at + form->size > text.size())
            return at;
        if (form->size > 1 && (byte(at + 1) < form->low || byte(at + 1) > form->high))
            return at;
        for (std::size_t k = 2; k < form->size; ++k)
            if (byte(at + k) < 0x80 || byte(at + k) > 0xBF)
                return at;
        at += form->size;
    }
    return std::nullopt;
}

}  // namespace

TEST_CASE("invalid UTF-8 is found anywhere in long texts, whatever stands beside it") {
    const char* const kUnits[] = {"a",
                                  "\xC3\xA9",
                                  "\xE4\xB8\xAD",
                                  "\xED\x9F\xBF",
                                  "\xE0\xA0\x80",
                                  "\xF0\x9F\x98\x80",
                                  "\xF4\x8F\xBF\xBF"};
    const unsigned char kBytes[] = {0x00,
                                    0x7F,
                                    0x80,
                                    0x8F,
                                    0x90,
                                    0x9F,
                                    0xA0,
                                    0xBF,
                                    0xC0,
                                    0xC1,
                                    0xC2,
                                    0xDF,
                                    0xE0,
                                    0xED,
                                    0xEF,
                                    0xF0,
                                    0xF4,
                                    0xF5,
                                    0xFF};
    std::mt19937 random(1);
    for (int round = 0; round < 20000; ++round) {
        std::string text;
        std::size_t size = random() % 300;
        bool mostly_one = random() % 2 != 0;
        const char* one = kUnits[random() % std::size(kUnits)];
        while (text.size() < size)
            text += mostly_one && random() % 8 != 0 ? one : kUnits[random() % std::size(kUnits)];
        for (int faults = static_cast<int>(random() % 3); faults > 0 && !text.empty(); --faults)
            text[random() % text.size()] = static_cast<char>(kBytes[random() % std::size(kBytes)]);
        if (random() % 4 == 0)
            text.resize(text.size() - std::min<std::size_t>(text.size(), random() % 4));
        std::optional<std::size_t> bad = invalid_by_the_book(text);
        REQUIRE(find_invalid_utf8(text) == bad);
        for (Utf8Tier tier : {Utf8Tier::plain, Utf8Tier::avx2, Utf8Tier::avx512}) {
            if (tier > best_utf8_tier())
                continue;
            std::size_t sound = valid_utf8_blocks(text.data(), text.size(), tier);
            REQUIRE(sound <= bad.value_or(text.size()));
            REQUIRE((sound == text.size() || (text[sound] & 0xC0) != 0x80 || bad == sound));
            if (!bad && tier != Utf8Tier::plain)
                REQUIRE(text.size() - sound < 68);
        }
    }
}

TEST_CASE("control characters cannot reach a terminal") {
    CHECK(escape_controls("a\x1b[31mb\n") == "a\\x1b[31mb\\n");
    CHECK(escape_controls("x\xE2\x80\xAEy") == "x\\u202ey");
    CHECK(escape_controls("\xFF") == "\\xff");
}

TEST_CASE("a hint names what is two edits away and nothing farther") {
    std::vector<std::string> names = {"target", "model", "top_k"};
    CHECK(did_you_mean("targt", names) == "did you mean 'target'?");
    CHECK(did_you_mean("top-k", names) == "did you mean 'top_k'?");
    CHECK(did_you_mean("xyz", names).empty());
    std::vector<std::string> groups = {"db"};
    CHECK(did_you_mean("bd", groups) == "did you mean 'db'?");
}

TEST_CASE("numbers in JSON are the shortest that read back") {
    CHECK(number_text(6e9) == "6000000000");
    CHECK(number_text(1e21) == "1e+21");
    CHECK(number_text(1e-7) == "1e-7");
    CHECK(number_text(0.1) == "0.1");
    CHECK(number_text(-0.0) == "0");
    CHECK(number_text(333333333.33333329) == "333333333.3333333");
}
