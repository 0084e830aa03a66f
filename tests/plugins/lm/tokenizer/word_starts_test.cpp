// Words that are found 64 bytes at a time, against the scalar scanner that says the truth.

#include "plugins/lm/tokenizer/scanner.h"

#include <doctest/doctest.h>

#include <array>
#include <random>
#include <span>
#include <string>
#include <vector>

using namespace stillroom::lm;

namespace {

constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
    R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

const std::vector<std::string> kDeepseek = {
    R"(\p{N}{1,3})",
    "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+",
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

using MakeScanner = std::unique_ptr<Scanner> (*)(WordTier);
constexpr MakeScanner kScanners[] = {
    [](WordTier tier) { return known_scanner(kLlama3, tier); },
    [](WordTier tier) { return known_scanner(kQwen, tier); },
    [](WordTier tier) { return known_scanner(kQwen35, tier); },
    [](WordTier tier) { return known_scanner(kGpt2Pattern, tier); },
    [](WordTier tier) { return gpt2_scanner_of_single_digits(tier); },
    [](WordTier tier) { return known_scanner(kO200k, tier); },
    [](WordTier tier) { return known_scanner(kTekken, tier); },
    [](WordTier tier) { return known_scanner(kDeepseek, tier); },
};

std::vector<WordTier> tiers() {
    std::vector<WordTier> out;
    for (WordTier tier : {WordTier::plain, WordTier::avx2, WordTier::avx512})
        if (tier <= best_word_tier())
            out.push_back(tier);
    return out;
}

std::vector<std::uint32_t> one_by_one(const Scanner& scanner, std::string_view text) {
    std::vector<std::uint32_t> out;
    for (std::size_t at = 0; at < text.size();)
        out.push_back(static_cast<std::uint32_t>(at = scanner.advance(text, at)));
    return out;
}

std::vector<std::uint32_t> at_once(const Scanner& scanner,
                                   std::string_view text,
                                   std::size_t most) {
    std::vector<std::uint32_t> out, ends(most + Scanner::kMoreWords);
    for (std::size_t at = 0; at < text.size(); at = out.back()) {
        std::size_t count = scanner.words(text, at, ends.data(), most);
        REQUIRE(count > 0);
        REQUIRE(count <= ends.size());
        out.insert(out.end(), ends.begin(), ends.begin() + static_cast<std::ptrdiff_t>(count));
    }
    return out;
}

/// What decides: quotes and the letters behind them, blanks of each kind, digits, signs,
/// letters of each case, and by turns much or little that is not ASCII.
std::string random_text(std::mt19937& random) {
    static const std::string kAscii = "  \n\n\r\t\v''sStTrReEvVlLmMdDaaaZZ00199.,!=_//\x01\x7f";
    static const std::vector<std::string> kOther = {
        "é", "中", "の",     "ー", "・", "\u3099", "々", "\u0301", "\u00a0", "\u3000", "٣",
        "ſ", "😀",  "…",      "Я",  "я",  "Ü",      "ǅ",  "ª",      "ʰ",      "Ａ",     "１",
        "½", "ก",  "\u0e31", "，", "。", "한",     "𝐀",  "𝟘",      "𠀀",     "\u2028", "“"};
    std::string out;
    std::size_t size = random() % 200;
    unsigned every = std::array{0u, 12u, 3u, 2u}[random() % 4];  // so many characters another one
    while (out.size() < size) {
        std::size_t times = random() % 40 == 0 ? 1 + random() % 90 : 1;
        if (every > 0 && random() % every == 0) {
            std::size_t which = random() % kOther.size();
            for (std::size_t i = 0; i < times; ++i)
                out += kOther[which];
        } else {
            out.append(times, kAscii[random() % kAscii.size()]);
        }
    }
    return out;
}

}  // namespace

TEST_CASE("each tier finds the words that the scalar scanner finds") {
    std::mt19937 random(20260101);  // NOLINT: the same texts each time
    for (int round = 0; round < 6000; ++round) {
        std::string text = random_text(random);
        CAPTURE(text);
        for (MakeScanner make : kScanners) {
            std::vector<std::uint32_t> wanted = one_by_one(*make(WordTier::plain), text);
            for (WordTier tier : tiers()) {
                CAPTURE(static_cast<int>(tier));
                bool same = at_once(*make(tier), text, 1 + random() % 40) == wanted;
                CHECK(same);
            }
        }
    }
}

/// As tokenizers do it: what one has left is the next one's text.
void split_by(std::span<const std::unique_ptr<Scanner>> scanners,
              std::string_view text,
              std::uint32_t base,
              std::vector<std::uint32_t>& ends) {
    auto give = [&](std::size_t from, std::size_t to) {
        if (from == to)
            return;
        if (scanners.size() == 1)
            ends.push_back(base + static_cast<std::uint32_t>(to));
        else
            split_by(scanners.subspan(1),
                     text.substr(from, to - from),
                     base + static_cast<std::uint32_t>(from),
                     ends);
    };
    std::size_t done = 0;
    for (Scanner::Match match; scanners[0]->next(text, done, match); done = match.end) {
        give(done, match.begin);
        give(match.begin, match.end);
    }
    give(done, text.size());
}

TEST_CASE("DeepSeek's three patterns at once are the three one behind the other") {
    std::mt19937 random(20260102);  // NOLINT: the same texts each time
    std::vector<std::unique_ptr<Scanner>> apart;
    for (const std::string& pattern : kDeepseek)
        apart.push_back(known_scanner(pattern));
    std::unique_ptr<Scanner> together = known_scanner(kDeepseek);
    for (int round = 0; round < 6000; ++round) {
        std::string text = random_text(random);
        CAPTURE(text);
        std::vector<std::uint32_t> wanted;
        split_by(apart, text, 0, wanted);
        bool same = at_once(*together, text, 7) == wanted;
        CHECK(same);
    }
}

TEST_CASE("a text that ends within a look, or with it, ends its last word") {
    for (MakeScanner make : kScanners) {
        for (std::size_t size = 1; size < 200; ++size) {
            for (std::string unit :
                 {"a", " ", "\n", " a", "1", "=", "'s", " \n ", "ab c\n", "é", "中", "中A", "😀"}) {
                std::string text;
                while (text.size() < size)
                    text += unit;
                for (WordTier tier : tiers()) {
                    std::unique_ptr<Scanner> scanner = make(tier);
                    bool same = at_once(*scanner, text, 8) == one_by_one(*scanner, text);
                    CHECK(same);
                }
            }
        }
    }
}
