#include "plugins/checkpoint/card.h"

#include <doctest/doctest.h>

using namespace stillroom;
using namespace stillroom::checkpoint;

namespace {

using Texts = std::vector<std::string>;

TEST_CASE("front matter gives its plain texts and lists") {
    FrontMatter found = front_matter_of(
        "---\nlicense: apache-2.0  # free\nlanguage: [en, 'de']\nbase_model:\n  - a/b\n- \"c/d\"\n"
        "model-index:\n- name: x\n  results: []\nempty:\n---\n# text\nlicense: mit\n");
    CHECK(found["license"] == Texts{"apache-2.0"});
    CHECK(found["language"] == Texts{"en", "de"});
    CHECK(found["base_model"] == Texts{"a/b", "c/d"});
    CHECK(!found.contains("model-index"));
    CHECK(!found.contains("empty"));
}

TEST_CASE("a card without front matter, or with one that never ends, has none") {
    CHECK(front_matter_of("# a model\nlicense: mit\n").empty());
    CHECK(front_matter_of("---\nlicense: mit\n").empty());
    CHECK(front_matter_of("---\nlicense: \xff\n---\n").empty());
}

TEST_CASE("the recipe gives steps and the Hub's models, and of a local path its end alone") {
    Lineage found = lineage_of(
        R"([{"name":"t","use":"checkpoint.load","inputs":[],"settings":{"source":"hf:Qwen/Qwen3-8B@main"}},)"
        R"({"name":"l","use":"checkpoint.load","inputs":[],"settings":{"source":"/a/secret/model/"}},)"
        R"({"name":"p","use":"prune.minitron","inputs":["t"],"settings":{"target":{"params":6e9}}}])");
    CHECK(found.base == Texts{"Qwen/Qwen3-8B"});
    CHECK(found.steps[1].settings[0].second == "model");
    CHECK(found.steps[2].settings[0].second == "{params: 6e9}");
    CHECK(found.steps[2].inputs == Texts{"t"});
}

TEST_CASE("a folder in the Hub's cache has the model's name") {
    CHECK(hub_name_of("/c/models--org--a-b/snapshots/0123") == "org/a-b");
    CHECK(hub_name_of("/c/models--gpt2/snapshots/0123") == "gpt2");
    CHECK(hub_name_of("/a/model").empty());
}

CardFacts facts_of(std::string name) {
    CardFacts facts;
    facts.name = std::move(name);
    facts.dtype = "BF16";
    return facts;
}

TEST_CASE("no text from outside is markup or YAML in a card") {
    CardFacts facts = facts_of("a\n---\n<script>|`x`");
    facts.license = "mit\nevil: true";
    facts.base = {"org/a: b"};
    std::string card = card_of(facts);
    CHECK(card.find("license: \"mit\\nevil: true\"\n") != std::string::npos);
    CHECK(card.find("base_model: \"org/a: b\"\n") != std::string::npos);
    CHECK(card.find("<script>") == std::string::npos);
    CHECK(card.find("\n---\n&lt;") == std::string::npos);
}

TEST_CASE("a card says where the model comes from, how it was made and what was measured") {
    CardFacts facts = facts_of("mine");
    facts.source = {{"license", {"llama3.1"}}, {"base_model", {"old/base"}}};
    facts.lineage.base = {"org/teacher", "org/student"};
    facts.lineage.steps = {{"p", "prune.minitron", {}, {}}, {"d", "train.distill", {"p"}, {}}};
    facts.reports = {{"score", {{"mmlu.acc", 0.5}, {"loss", 2}}}};
    std::string card = card_of(facts);
    for (const char* part : {"base_model:\n- \"org/teacher\"\n- \"org/student\"\n",
                             "license: \"llama3.1\"\n",
                             "- \"pruned\"\n- \"distilled\"\n",
                             "dataset: {name: \"mmlu\", type: \"mmlu\"}",
                             "{type: acc, value: 0.5}",
                             "| score | loss | 2 |",
                             "| d | train.distill | p |  |"})
        CHECK_MESSAGE(card.find(part) != std::string::npos, part, "\n", card);
    CHECK(card.find("type: loss") == std::string::npos);
}

}  // namespace
