#include "plugins/lm/tokenizer/long_words.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace stillroom::lm;

namespace {

std::string word_of(std::size_t n) {
    std::string word = std::to_string(n);
    return std::string(16 + n % 233 - std::min<std::size_t>(word.size(), 16), 'w') + word;
}

std::vector<std::uint32_t> ids_of(std::size_t n) {
    std::vector<std::uint32_t> ids(1 + n % LongWords::kMostIds);
    for (std::size_t i = 0; i < ids.size(); ++i)
        ids[i] = static_cast<std::uint32_t>(n * 31 + i);
    return ids;
}

bool knows(const LongWords& words, const std::string& word, bool part, std::size_t n) {
    std::span<const std::uint32_t> found = words.find(word, part, LongWords::hash_of(word, part));
    std::vector<std::uint32_t> ids = ids_of(n);
    CHECK((found.empty() || std::equal(found.begin(), found.end(), ids.begin(), ids.end())));
    return !found.empty();
}

void remember(LongWords& words, const std::string& word, bool part, std::size_t n) {
    words.remember(word, part, LongWords::hash_of(word, part), ids_of(n));
}

}  // namespace

TEST_CASE("a long word is found with its own ids, however many came behind it") {
    LongWords words;
    CHECK_FALSE(knows(words, word_of(0), false, 0));
    for (std::size_t n = 0; n < 20'000; ++n)
        remember(words, word_of(n), false, n);
    for (std::size_t n = 0; n < 20'000; ++n)
        REQUIRE(knows(words, word_of(n), false, n));
    CHECK_FALSE(knows(words, word_of(20'000), false, 0));
}

TEST_CASE("a part of a word is not the word") {
    LongWords words;
    remember(words, word_of(1), true, 5);
    CHECK_FALSE(knows(words, word_of(1), false, 5));
    remember(words, word_of(1), false, 6);
    CHECK(knows(words, word_of(1), true, 5));
    CHECK(knows(words, word_of(1), false, 6));
}

TEST_CASE("where there is no more room all are forgotten and the next are found") {
    LongWords words;
    for (std::size_t n = 0; n < 200'000; ++n) {
        remember(words, word_of(n), false, n);
        REQUIRE(knows(words, word_of(n), false, n));
    }
    std::size_t known = 0;
    for (std::size_t n = 0; n < 200'000; ++n)
        known += knows(words, word_of(n), false, n);
    CHECK(known > 1000);
    CHECK(known < 100'000);
}

TEST_CASE("the longest word and the most ids are remembered, more is not") {
    LongWords words;
    std::string longest(LongWords::kLongest, 'x'), over(LongWords::kLongest + 1, 'x');
    std::vector<std::uint32_t> most(LongWords::kMostIds, 7), more(LongWords::kMostIds + 1, 7);
    auto find = [&](const std::string& word) {
        return words.find(word, false, LongWords::hash_of(word, false)).size();
    };
    words.remember(over, false, LongWords::hash_of(over, false), most);
    CHECK(find(over) == 0);
    words.remember(longest, false, LongWords::hash_of(longest, false), more);
    CHECK(find(longest) == 0);
    words.remember(longest, false, LongWords::hash_of(longest, false), most);
    CHECK(find(longest) == most.size());
}
