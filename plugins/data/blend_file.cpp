#include "plugins/data/blend_file.h"

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace stillroom::data {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\f\v";

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    while (true) {
        std::size_t begin = text.find_first_not_of(kBlanks);
        if (begin == std::string_view::npos)
            return words;
        text.remove_prefix(begin);
        std::size_t end = std::min(text.find_first_of(kBlanks), text.size());
        words.emplace_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

std::optional<double> number(const std::string& word) {
    double value = 0;
    auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (failure != std::errc() || end != word.data() + word.size())
        return std::nullopt;
    return value;
}

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
    throw Error({}, fmt::format("{}: {}", name, why))
        .hint(
            "write a weight and a prefix in turn, \"0.7 data/a_document 0.3 data/b_document\", "
            "or prefixes alone")
        .exit_code(kExitBadInput);
}

}  // namespace

std::vector<BlendEntry> parse_blend(std::string_view text, const std::string& name) {
    std::vector<std::string> words = words_of(text);
    if (words.empty())
        refuse(name, "it names no dataset");
    std::size_t weights = 0;
    if (words.size() % 2 == 0)
        for (std::size_t i = 0; i < words.size(); i += 2)
            weights += number(words[i]).has_value();
    std::vector<BlendEntry> entries;
    if (weights == 0) {
        for (const std::string& word : words)
            entries.push_back({word, std::nullopt});
        return entries;
    }
    for (std::size_t i = 0; i < words.size(); i += 2) {
        std::optional<double> weight = number(words[i]);
        if (!weight)
            refuse(name, fmt::format("word {}, '{}', is no weight", i + 1, shorten(words[i], 80)));
        if (!std::isfinite(*weight) || *weight <= 0)
            refuse(name, fmt::format("word {}, a weight, is {}", i + 1, words[i]));
        entries.push_back({words[i + 1], weight});
    }
    return entries;
}

std::optional<std::string> blend_text(const std::vector<BlendEntry>& entries) {
    std::string text;
    for (const BlendEntry& entry : entries) {
        if (entry.prefix.find_first_of(kBlanks) != std::string::npos)
            return std::nullopt;
        if (entry.weight)
            text += number_text(*entry.weight) + " ";
        text += entry.prefix + "\n";
    }
    return text;
}

}  // namespace stillroom::data
