#include "plugins/checkpoint/front_matter.h"

#include "engine/base/json_value.h"
#include "engine/base/text.h"

#include <algorithm>

namespace stillroom::checkpoint {
namespace {

constexpr std::size_t kLongest = std::size_t{64} << 10;
constexpr std::size_t kLongestText = 200;

bool is_key(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
    });
}

/// A plain or quoted scalar, without a comment behind it; empty: nothing that we take.
std::string scalar(std::string_view text) {
    text = trim(text);
    if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
        text.back() == text.front())
        text = text.substr(1, text.size() - 2);
    else if (std::size_t comment = text.find(" #"); comment != text.npos)
        text = trim(text.substr(0, comment));
    bool plain = !text.empty() && text.size() <= kLongestText &&
                 text.find_first_of("{}[]|>&*\n") == text.npos && text != "null" && text != "~";
    return plain ? std::string(text) : std::string();
}

std::vector<std::string> values_of(std::string_view text) {
    std::vector<std::string> out;
    text = trim(text);
    if (text.starts_with('[') && text.ends_with(']')) {
        for (const std::string& item : split(text.substr(1, text.size() - 2), ','))
            if (std::string value = scalar(item); !value.empty())
                out.push_back(std::move(value));
    } else if (std::string value = scalar(text); !value.empty()) {
        out.push_back(std::move(value));
    }
    return out;
}

}  // namespace

FrontMatter front_matter_of(std::string_view card) {
    FrontMatter out;
    if (!card.starts_with("---\n") && !card.starts_with("---\r\n"))
        return out;
    card = card.substr(0, kLongest);
    if (find_invalid_utf8(card))
        return out;
    std::string key;
    std::vector<std::string> lines = split(card, '\n');
    for (std::size_t i = 1; i < lines.size(); ++i) {
        std::string_view line = lines[i];
        if (line.ends_with('\r'))
            line.remove_suffix(1);
        if (line == "---")
            return out;
        std::string_view inner = trim(line);
        if (inner.starts_with("- ") && !key.empty()) {
            if (std::string value = scalar(inner.substr(2));
                !value.empty() && value.find(": ") == value.npos)
                out[key].push_back(std::move(value));
            continue;
        }
        if (line.empty() || line.front() == ' ' || line.front() == '#')
            continue;
        std::size_t colon = line.find(':');
        key = colon == line.npos ? std::string() : std::string(line.substr(0, colon));
        if (!is_key(key))
            key.clear();
        else if (std::vector<std::string> values = values_of(line.substr(colon + 1));
                 !values.empty())
            out[key] = std::move(values);
    }
    return {};  // never ended: no front matter
}

}  // namespace stillroom::checkpoint
