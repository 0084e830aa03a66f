#include "engine/base/error.h"
#include "plugins/lm/data/dataset_folder.h"
#include "plugins/lm/data/vocabulary_facts.h"
#include "plugins/lm/tokenizer/tokenizer.h"
#include "plugins/train/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stillroom::train {
namespace fs = std::filesystem;
namespace {

std::string shown(const lm::Tokenizer& tokenizer, std::uint32_t id) {
    std::optional<std::string_view> token = tokenizer.token_of(id);
    return token ? fmt::format("{:?}", *token) : "nothing";
}

/// The first id that means another thing to the other.
std::string first_difference(const fs::path& student, const fs::path& teacher) {
    lm::Tokenizer one = lm::Tokenizer::read(student), other = lm::Tokenizer::read(teacher);
    std::size_t size = std::max(one.vocab_size(), other.vocab_size());
    for (std::size_t i = 0; i < size; i++) {
        auto id = static_cast<std::uint32_t>(i);
        if (one.token_of(id) != other.token_of(id))
            return fmt::format("id {} is {} to the student and {} to the teacher",
                               id,
                               shown(one, id),
                               shown(other, id));
        if (one.is_special(id) != other.is_special(id))
            return fmt::format("id {} ({}) is special to the {} alone",
                               id,
                               shown(one, id),
                               one.is_special(id) ? "student" : "teacher");
    }
    return "they mean the same ids, but stand for other bytes";
}

/// Of a folder with a tokenizer; nothing of one without.
std::optional<lm::VocabularyFacts> tokenizer_facts(const fs::path& folder) {
    std::optional<lm::VocabularyFacts> facts = lm::vocabulary_facts(folder);
    if (facts && facts->digest.empty())
        return std::nullopt;
    return facts;
}

void check_data(const StageContext& context,
                std::string_view port,
                const std::optional<lm::VocabularyFacts>& tokenizer,
                std::int64_t words,
                const char* whose) {
    if (!context.has(port) || !lm::has_dataset_info(context.input(port)))
        return;
    lm::DatasetInfo info = lm::read_dataset_info(context.input(port));
    auto refuse = [&](std::string message) {
        throw Error({}, std::move(message))
            .key(std::string(port))
            .hint("data.tokenize with tokenizer: the student")
            .exit_code(kExitBadInput);
    };
    if (tokenizer && !info.tokenizer.empty() && info.tokenizer != tokenizer->digest)
        refuse(fmt::format("the data was made with another tokenizer ({}) than the student's ({})",
                           info.tokenizer.substr(0, 12),
                           tokenizer->digest.substr(0, 12)));
    if (info.vocabulary && *info.vocabulary > words)
        refuse(fmt::format("the data's vocabulary of {} does not fit the {} logits of the {}",
                           *info.vocabulary,
                           words,
                           whose));
}

}  // namespace

std::int64_t checked_words(const StageContext& context,
                           const Ports& ports,
                           const lm::ModelConfig& student,
                           const std::optional<lm::ModelConfig>& teacher) {
    std::int64_t words = student.vocab;
    if (teacher)
        words = std::min(words, teacher->vocab);
    std::optional<lm::VocabularyFacts> own = tokenizer_facts(context.input(ports.student));
    if (teacher && own)
        if (auto other = tokenizer_facts(context.input(ports.teacher));
            other && other->digest != own->digest)
            throw Error({},
                        fmt::format("teacher and student have different tokenizers ({} and {})",
                                    other->digest.substr(0, 12),
                                    own->digest.substr(0, 12)))
                .key(std::string(ports.teacher))
                .note({},
                      first_difference(context.input(ports.student), context.input(ports.teacher)))
                .hint("what the teacher predicts must be the student's tokens")
                .exit_code(kExitBadInput);
    if (own && own->size > words)
        throw Error({},
                    fmt::format("the tokenizer has {} ids, and {} only {} logits",
                                own->size,
                                teacher && teacher->vocab != student.vocab ? "one of the models has"
                                : teacher                                  ? "both models have"
                                                                           : "the model has",
                                words))
            .key(std::string(ports.student))
            .exit_code(kExitBadInput);
    for (std::string_view port : std::array<std::string_view, 2>{"data", "valid"})
        check_data(context,
                   port,
                   own,
                   words,
                   teacher && teacher->vocab < student.vocab ? "teacher" : "student");
    return words;
}

}  // namespace stillroom::train
