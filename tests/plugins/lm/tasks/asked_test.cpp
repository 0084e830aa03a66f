#include "plugins/lm/tasks/asked.h"

#include "engine/base/error.h"
#include "plugins/lm/tasks/pack.h"
#include "tests/plugins/lm/weights/refusal.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace stillroom;
using namespace stillroom::lm;

namespace {

using Ids = std::vector<std::int32_t>;

Tokenizer tokenizer_named(const std::string& name) {
    return Tokenizer::read(STILLROOM_REFERENCE "/tokenizer/" + name + ".json");
}

/// A blank is 0; each letter behind a blank is one token, from 1 on.
Tokenizer letters(const std::vector<std::string>& names) {
    std::string vocab = R"("\u0120": 0)", merges;
    for (std::size_t i = 0; i < names.size(); i++) {
        vocab +=
            fmt::format(R"(, "\u0120{0}": {1}, "{0}": {2})", names[i], i + 1, i + 1 + names.size());
        merges += fmt::format(R"({}["\u0120", "{}"])", i == 0 ? "" : ", ", names[i]);
    }
    return Tokenizer::parse(
        R"({"model": {"type": "BPE", "vocab": {)" + vocab + R"(}, "merges": [)" + merges +
            R"(]}, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
                "decoder": {"type": "ByteLevel"}})",
        "letters");
}

Ids ids_of(const Tokenizer& tokenizer, const std::string& text) {
    std::vector<std::uint32_t> ids = tokenizer.encode(text);
    return {ids.begin(), ids.end()};
}

Asked asked(std::vector<Ids> paths, std::vector<AskedChoice> choices, std::size_t group = 0) {
    return {.group = group, .paths = std::move(paths), .choices = std::move(choices)};
}

/// The text of a segment from its root on.
std::vector<std::int64_t> text_of(const Pack& pack, std::int64_t segment) {
    if (segment < 0)
        return {};
    auto at = static_cast<std::size_t>(segment);
    std::vector<std::int64_t> text = text_of(pack, pack.after[at]);
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < at; i++)
        begin += pack.lengths[i];
    text.insert(text.end(), pack.ids.begin() + begin, pack.ids.begin() + begin + pack.lengths[at]);
    return text;
}

/// What the model has read when it is asked at a row.
std::vector<std::int64_t> text_until(const Pack& pack, std::int64_t row) {
    std::int64_t end = 0;
    for (std::size_t i = 0; i < pack.lengths.size(); i++) {
        end += pack.lengths[i];
        if (row < end) {
            std::vector<std::int64_t> text = text_of(pack, std::int64_t(i));
            text.resize(text.size() - static_cast<std::size_t>(end - 1 - row));
            return text;
        }
    }
    return {};
}

/// Everything that is asked: the texts and their targets, whatever the packing.
std::vector<std::string> all_asked(const std::vector<Pack>& packs, std::size_t forgotten = 0) {
    std::vector<std::string> out;
    for (const Pack& pack : packs)
        for (const PackedQuestion& question : pack.questions)
            for (const PackedChoice& choice : question.choices)
                for (std::size_t i = 0; i < choice.rows.size(); i++) {
                    std::vector<std::int64_t> text = text_until(pack, choice.rows[i]);
                    if (!pack.goes_on)
                        text.erase(text.begin(), text.begin() + std::ptrdiff_t(forgotten));
                    out.push_back(fmt::format("{}: {} -> {}",
                                              question.question,
                                              fmt::join(text, " "),
                                              choice.targets[i]));
                }
    return out;
}

const std::vector<Asked> kTwoGroups = {
    asked({{1, 2, 3, 10}}, {{0, {7}}, {0, {8}}}),
    asked({{1, 2, 3, 11, 12}, {1, 2, 3, 11, 13, 14}}, {{0, {20}}, {1, {14, 21}}}),
    asked({{1, 2, 3, 4}}, {{0, {7}}, {0, {8}}}),
    asked({{1, 9}}, {{0, {7}}}, 1),
};

}  // namespace

TEST_CASE("a letter's id is the last token of a blank and the letter") {
    Tokenizer pieces = tokenizer_named("smollm");  // " A" is two tokens there
    CHECK(ids_of(pieces, " A").size() == 2);
    CHECK(letter_ids(pieces, 2) == Ids{ids_of(pieces, "A")[0], ids_of(pieces, "B")[0]});
    CHECK(letter_ids(letters({"A", "B", "C", "D"}), 4) == Ids{1, 2, 3, 4});
}

TEST_CASE("a tokenizer that cannot say a letter is refused") {
    CHECK(refusal_of([&] {
              letter_ids(letters({"A", "B", "D"}), 4);
          }) == "3: the tokenizer lacks \" C\": no token says it");
}

TEST_CASE("a continuation is what the whole text has beyond the context's tokens") {
    Tokenizer tokenizer = letters({"A", "B", "C", "D"});
    Asked one = ask_continuations(tokenizer, {" A B"}, {" A", " B"}, 100);
    CHECK(one.paths == std::vector<Ids>{{1, 2}});
    CHECK(one.one_place());
    CHECK(one.choices[1].targets == Ids{2});

    Asked two = ask_continuations(tokenizer, {" A"}, {" B C", " B D C"}, 100);
    CHECK(two.paths == std::vector<Ids>{{1, 2}, {1, 2, 4}});
    CHECK_FALSE(two.one_place());

    Asked moved = ask_continuations(tokenizer, {" A  "}, {" B"}, 100);
    CHECK(moved.paths == std::vector<Ids>{{1, 0, 0}});
    CHECK(moved.choices[0].targets == Ids{0, 0, 2});

    Asked cut = ask_continuations(tokenizer, {" A B C D"}, {" A B"}, 3);
    CHECK(cut.cut);
    CHECK(cut.paths == std::vector<Ids>{{3, 4, 1}});
    CHECK(refusal_of([&] { ask_continuations(tokenizer, {" A"}, {""}, 9); }) ==
          "3: the answer \"\" is no token of its own");
    CHECK(refusal_of([&] { ask_continuations(tokenizer, {" A"}, {" A B"}, 1); }) ==
          "3: an answer of 2 tokens, the model reads 1");
    CHECK(refusal_of([&] {
              ask_continuations(tokenizer, {""}, {" A"}, 9);
          }).starts_with("3: a question without a context needs"));
}

TEST_CASE("whatever is shared, the same texts are asked") {
    std::vector<std::string> plain = all_asked(pack_questions(kTwoGroups, {.share = false}));
    CHECK(plain.front() == "0: 1 2 3 10 -> 7");
    CHECK(all_asked(pack_questions(kTwoGroups, {})) == plain);
    CHECK(all_asked(pack_questions(kTwoGroups, {.tokens = 5, .keep = false})) == plain);
    CHECK(all_asked(pack_questions(kTwoGroups, {.questions = 1, .keep = false})) == plain);
}

TEST_CASE("what questions begin with stands once, what a question's answers share too") {
    std::vector<Pack> packs = pack_questions(kTwoGroups, {});
    REQUIRE(packs.size() == 1);
    CHECK(packs[0].lengths == std::vector<std::int64_t>{3, 1, 1, 1, 2, 1, 2});
    CHECK(packs[0].after == std::vector<std::int64_t>{-1, 0, 0, 2, 2, 0, -1});
    CHECK_FALSE(packs[0].keeps);
}

TEST_CASE("a beginning that several packs need is kept from one to the next") {
    std::vector<Pack> packs = pack_questions(kTwoGroups, {.questions = 1});
    REQUIRE(packs.size() == 4);
    CHECK(packs[0].keeps == std::size_t{0});
    CHECK(packs[1].goes_on);
    CHECK(packs[1].lengths.front() == 0);
    CHECK(packs[1].keeps == std::size_t{0});
    CHECK_FALSE(packs[2].keeps);
    CHECK_FALSE(packs[3].goes_on);
}

TEST_CASE("a question that lost its beginning stands for itself") {
    std::vector<Asked> questions = kTwoGroups;
    questions[1].cut = true;
    std::vector<std::string> plain = all_asked(pack_questions(questions, {.share = false}));
    CHECK(all_asked(pack_questions(questions, {})) == plain);
    std::vector<Pack> packs = pack_questions(questions, {.questions = 1});
    CHECK(packs[1].goes_on);
    CHECK(packs[2].goes_on);
    CHECK(packs[1].after[1] == -1);
}
