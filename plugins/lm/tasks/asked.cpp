#include "plugins/lm/tasks/asked.h"

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "plugins/lm/tasks/mmlu_prompt.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

using Ids = std::vector<std::int32_t>;

Ids encoded(const Tokenizer& tokenizer, std::string_view text, bool add_special) {
    std::vector<std::uint32_t> ids = tokenizer.encode(text, {.add_special = add_special});
    return {ids.begin(), ids.end()};
}

[[noreturn]] void refuse_letters(std::string what) {
    throw Error({}, std::move(what))
        .hint("scoring=loglikelihood compares the answers as texts")
        .exit_code(kExitBadInput);
}

/// The path's place in the question, which holds it from now on.
std::size_t place_of(Asked& asked, Ids path) {
    auto there = std::find(asked.paths.begin(), asked.paths.end(), path);
    if (there != asked.paths.end())
        return static_cast<std::size_t>(there - asked.paths.begin());
    asked.paths.push_back(std::move(path));
    return asked.paths.size() - 1;
}

/// A text that begins a prompt: without a context the model still reads one token.
std::int32_t beginning_of(const Tokenizer& tokenizer) {
    const SpecialIds& special = tokenizer.special();
    if (!special.begin && !special.end)
        throw Error({},
                    "a question without a context needs a tokenizer with a token that begins or "
                    "ends texts")
            .exit_code(kExitBadInput);
    return static_cast<std::int32_t>(special.begin ? *special.begin : *special.end);
}

struct ContextAndRest {
    Ids context, continuation;
};

ContextAndRest divided(const Tokenizer& tokenizer,
                       std::string_view context,
                       std::string_view continuation) {
    ContextAndRest out;
    if (context.empty()) {
        out.continuation = encoded(tokenizer, continuation, /*add_special=*/false);
        out.context = {beginning_of(tokenizer)};
        if (!out.continuation.empty() && out.continuation.front() == out.context.front())
            out.continuation.erase(out.continuation.begin());
        return out;
    }
    std::string_view stripped = strip(context);
    std::size_t end =
        stripped.empty()
            ? 0
            : static_cast<std::size_t>(stripped.data() - context.data()) + stripped.size();
    Ids whole = encoded(tokenizer, std::string(context).append(continuation), true);
    out.context = encoded(tokenizer, context.substr(0, end), true);
    if (whole.size() > out.context.size())
        out.continuation.assign(whole.begin() + std::ssize(out.context), whole.end());
    return out;
}

}  // namespace

std::vector<std::int32_t> letter_ids(const Tokenizer& tokenizer, std::size_t count) {
    Ids ids;
    for (std::size_t i = 0; i < count; i++) {
        char letter = static_cast<char>('A' + i);
        Ids one = encoded(tokenizer, fmt::format(" {}", letter), /*add_special=*/false);
        std::vector<std::uint32_t> last;
        if (!one.empty())
            last.push_back(static_cast<std::uint32_t>(one.back()));
        if (!tokenizer.decode(last).ends_with(letter))
            refuse_letters(fmt::format("the tokenizer lacks \" {}\": no token says it", letter));
        auto twin = std::find(ids.begin(), ids.end(), one.back());
        if (twin != ids.end())
            refuse_letters(
                fmt::format("\" {}\" and \" {}\" end with the same token, {}: they cannot "
                            "be told apart",
                            static_cast<char>('A' + (twin - ids.begin())),
                            letter,
                            one.back()));
        ids.push_back(one.back());
    }
    return ids;
}

Asked ask_ids(const Tokenizer& tokenizer,
              std::string_view prompt,
              std::span<const std::int32_t> ids,
              std::size_t longest) {
    Asked asked;
    Ids path = encoded(tokenizer, prompt, /*add_special=*/true);
    if (path.size() > longest) {
        asked.cut = true;
        path.erase(path.begin(), path.end() - static_cast<std::ptrdiff_t>(longest));
    }
    asked.paths.push_back(std::move(path));
    for (std::int32_t id : ids)
        asked.choices.push_back({.path = 0, .targets = {id}});
    return asked;
}

Asked ask_continuations(const Tokenizer& tokenizer,
                        const std::vector<std::string>& contexts,
                        const std::vector<std::string>& continuations,
                        std::size_t longest) {
    Asked asked;
    for (std::size_t i = 0; i < std::max(contexts.size(), continuations.size()); i++) {
        const std::string& context = contexts[contexts.size() == 1 ? 0 : i];
        const std::string& continuation = continuations[continuations.size() == 1 ? 0 : i];
        ContextAndRest ids = divided(tokenizer, context, continuation);
        if (ids.continuation.empty())
            throw Error({},
                        fmt::format("the answer {} is no token of its own",
                                    json_quoted(shorten(continuation, 40))))
                .exit_code(kExitBadInput);
        if (ids.continuation.size() > longest)
            throw Error(
                {},
                fmt::format(
                    "an answer of {} tokens, the model reads {}", ids.continuation.size(), longest))
                .exit_code(kExitBadInput);
        Ids path = std::move(ids.context);
        path.insert(path.end(), ids.continuation.begin(), ids.continuation.end() - 1);
        if (path.size() > longest) {
            asked.cut = true;
            path.erase(path.begin(), path.end() - static_cast<std::ptrdiff_t>(longest));
        }
        asked.choices.push_back(
            {.path = place_of(asked, std::move(path)), .targets = std::move(ids.continuation)});
    }
    return asked;
}

}  // namespace stillroom::lm
