#include "plugins/lm/tasks/mmlu_prompt.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

std::string_view marker(PromptRule rule, bool solved) {
    return rule == PromptRule::reference && solved ? "Answer:" : "\nAnswer:";
}

std::string item(const Question& question, PromptRule rule, bool solved) {
    std::string_view asked =
        rule == PromptRule::standard ? strip(question.text) : std::string_view(question.text);
    std::string out(asked);
    for (std::size_t i = 0; i < question.choices.size(); i++)
        out += fmt::format("\n{}. {}", static_cast<char>('A' + i), question.choices[i]);
    out += marker(rule, solved);
    if (solved)
        out += fmt::format(" {}\n\n", static_cast<char>('A' + question.answer));
    return out;
}

bool is_python_space(char32_t c) {
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

}  // namespace

std::string_view strip(std::string_view text) {
    std::size_t begin = text.size(), end = 0;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t first = at;
        if (is_python_space(decode_utf8(text, at)))
            continue;
        begin = std::min(begin, first);
        end = at;
    }
    return begin < end ? text.substr(begin, end - begin) : std::string_view();
}

std::string mmlu_prefix(const Subject& subject, std::size_t few_shot, PromptRule rule) {
    if (few_shot > subject.examples.size())
        throw Error({},
                    fmt::format("{} examples wanted before each question, {} has {}",
                                few_shot,
                                subject.name,
                                subject.examples.size()))
            .exit_code(kExitBadInput);
    std::string name = subject.name;
    std::replace(name.begin(), name.end(), '_', ' ');
    std::string out = fmt::format(
        "The following are multiple choice questions (with answers) about {}.\n\n", name);
    for (std::size_t i = 0; i < few_shot; i++)
        out += item(subject.examples[i], rule, /*solved=*/true);
    return out;
}

std::string mmlu_question(const Question& question, PromptRule rule) {
    return item(question, rule, /*solved=*/false);
}

}  // namespace stillroom::lm
