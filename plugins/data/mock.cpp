#include "plugins/data/mock.h"

#include "plugins/lm/data/dataset_folder.h"
#include "plugins/lm/data/indexed_writer.h"
#include "plugins/lm/data/vocabulary_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace stillroom::data {
namespace fs = std::filesystem;
namespace {

constexpr const char* kPrefix = "mock_document";
constexpr const char* kKey = "mock";
constexpr std::int64_t kCounted = 10'000'000;  ///< documents whose lengths a plan adds up
constexpr std::int64_t kAtATime = 4096;        ///< documents between two looks around

std::uint64_t splitmix64(std::uint64_t seed) {
    std::uint64_t z = seed + 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

std::int64_t length_of(const MockSettings& settings, std::int64_t document) {
    auto seed = static_cast<std::uint64_t>(settings.seed) + static_cast<std::uint64_t>(document);
    return 1 + static_cast<std::int64_t>(splitmix64(seed) %
                                         static_cast<std::uint64_t>(settings.max_length));
}

lm::Count tokens_of(const MockSettings& settings) {
    if (settings.documents > kCounted)
        return {settings.documents, settings.documents * settings.max_length};
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < settings.documents; ++i)
        sum += length_of(settings, i);
    return lm::Count::exactly(sum);
}

lm::DatasetInfo info_of(const MockSettings& settings,
                        const std::optional<lm::VocabularyFacts>& facts,
                        lm::Count tokens) {
    lm::DatasetInfo info;
    info.parts.push_back({kPrefix, kKey, {}, lm::Count::exactly(settings.documents), tokens});
    if (facts)
        info.describe_vocabulary(*facts);
    info.source = {fmt::format("mock: {} documents of up to {} tokens, seed {}",
                               settings.documents,
                               settings.max_length,
                               settings.seed)};
    return info;
}

/// Where nobody says what ends a document, the last id does.
lm::VocabularyFacts with_end(lm::VocabularyFacts facts, StageContext& context) {
    if (facts.size < 2)
        context.refuse("tokenizer",
                       fmt::format("a vocabulary of {} ids is too small to count in", facts.size),
                       "use a tokenizer with two ids or more");
    if (!facts.eod) {
        facts.eod = static_cast<std::uint32_t>(facts.size - 1);
        context.log(LogLevel::warning,
                    fmt::format("the tokenizer names no end of text: documents end with its last "
                                "id, {}",
                                *facts.eod));
    }
    return facts;
}

/// Of the tokenizer, or as the setting says; nothing where it is not known yet.
std::optional<lm::VocabularyFacts> facts_of(const MockSettings& settings, StageContext& context) {
    if (settings.vocabulary)
        return lm::VocabularyFacts{.size = *settings.vocabulary,
                                   .eod = static_cast<std::uint32_t>(*settings.vocabulary - 1),
                                   .digest = ""};
    std::optional<lm::VocabularyFacts> facts = lm::vocabulary_facts(context.input("tokenizer"));
    if (facts)
        facts = with_end(*facts, context);
    return facts;
}

/// All that a document can begin with; each is a part of it, but for its last token.
std::vector<std::uint32_t> counted_up(std::int64_t length, std::int64_t vocabulary) {
    std::vector<std::uint32_t> ids(static_cast<std::size_t>(length));
    for (std::int64_t j = 0; j < length; ++j)
        ids[static_cast<std::size_t>(j)] = static_cast<std::uint32_t>(1 + j % (vocabulary - 1));
    return ids;
}

}  // namespace

void Mock::describe(DescribeContext& context) const {
    std::optional<lm::VocabularyFacts> facts = facts_of(settings_, context);
    lm::Count tokens = tokens_of(settings_);
    lm::write_dataset_info(context.output("data"), info_of(settings_, facts, tokens));
    Cost cost;
    if (facts && tokens.most)
        cost.disk_bytes =
            static_cast<std::uint64_t>(*tokens.most) *
                static_cast<std::uint64_t>(lm::bytes_of(lm::token_type_for(facts->size))) +
            static_cast<std::uint64_t>(settings_.documents) * 20;
    context.cost(cost);
}

void Mock::run(RunContext& context) {
    std::optional<lm::VocabularyFacts> facts = facts_of(settings_, context);
    if (!facts)
        throw Error({}, "the tokenizer is a folder without tokenizer.json and config.json")
            .exit_code(kExitBadInput);
    fs::path out = context.output("data");
    lm::IndexedWriter writer(context, out / kPrefix, lm::token_type_for(facts->size));
    std::vector<std::uint32_t> ids = counted_up(settings_.max_length, facts->size);
    for (std::int64_t i = 0; i < settings_.documents; ++i) {
        if (i % kAtATime == 0) {
            context.progress(static_cast<double>(i) / static_cast<double>(settings_.documents),
                             "writing documents");
            if (context.cancelled())
                return;
        }
        auto length = static_cast<std::size_t>(length_of(settings_, i));
        std::uint32_t covered = std::exchange(ids[length - 1], *facts->eod);
        writer.add_document(std::span(ids).first(length));
        ids[length - 1] = covered;
    }
    writer.close();
    lm::write_dataset_info(out, info_of(settings_, facts, lm::Count::exactly(writer.tokens())));
}

}  // namespace stillroom::data
