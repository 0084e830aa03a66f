#include "plugins/lm/hub/hub_source.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

constexpr std::size_t kLongestPart = 96;
constexpr std::size_t kLongestRevision = 250;
constexpr std::size_t kLongestPath = 1024;
constexpr std::size_t kLongestName = 255;  // what file systems take

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string part_fault(std::string_view part) {
    if (part.empty())
        return "a part of its name is empty";
    if (part.size() > kLongestPart)
        return fmt::format(
            "a part of its name has {} characters, over {}", part.size(), kLongestPart);
    for (char c : part)
        if (!is_letter_or_digit(c) && c != '-' && c != '_' && c != '.')
            return "a name has letters, digits, '-', '_' and '.' only";
    if (part.find("--") != part.npos || part.find("..") != part.npos)
        return "a name holds no '--' and no '..'";
    for (char c : {part.front(), part.back()})
        if (c == '-' || c == '.')
            return "a name neither begins nor ends with '-' or '.'";
    return part.ends_with(".git") ? "a name does not end in '.git'" : "";
}

std::string repo_fault(std::string_view repo) {
    std::size_t slash = repo.find('/');
    if (slash == repo.npos)
        return part_fault(repo);
    if (repo.find('/', slash + 1) != repo.npos)
        return "there is one '/' at most";
    std::string fault = part_fault(repo.substr(0, slash));
    return fault.empty() ? part_fault(repo.substr(slash + 1)) : fault;
}

}  // namespace

bool is_commit(std::string_view text) {
    return text.size() == 40 && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

std::string hub_path_fault(std::string_view path) {
    if (path.empty() || path.size() > kLongestPath)
        return fmt::format(
            "it has {} bytes, between 1 and {} are taken", path.size(), kLongestPath);
    if (find_invalid_utf8(path) || std::any_of(path.begin(), path.end(), [](unsigned char c) {
            return c < ' ' || c == 0x7f || c == '\\';
        }))
        return "it holds a character that no path here has";
    for (const std::string& name : split(path, '/')) {
        if (name.empty() || name == "." || name == "..")
            return "it leaves its folder";
        if (name.size() > kLongestName)
            return fmt::format("a name in it has over {} bytes", kLongestName);
    }
    return "";
}

bool HubSource::pinned() const {
    return is_commit(revision);
}

std::string HubSource::told() const {
    return fmt::format("{} '{}'", kind == RepoKind::model ? "model" : "dataset", repo);
}

HubSource parse_hub_source(std::string_view text) {
    auto refuse = [&](const std::string& why) {
        throw Error({}, fmt::format("'{}' names no model: {}", escape_controls(text), why))
            .hint("hf:ORG/NAME, hf:ORG/NAME@REVISION or hf:datasets/ORG/NAME")
            .exit_code(kExitUsage);
    };
    HubSource source;
    std::string_view rest = text;
    if (!rest.starts_with("hf:"))
        refuse("it does not begin with 'hf:'");
    rest.remove_prefix(3);
    if (rest.starts_with("datasets/")) {
        source.kind = RepoKind::dataset;
        rest.remove_prefix(9);
    }
    std::size_t at = rest.find('@');
    source.repo = rest.substr(0, at);
    if (std::string fault = repo_fault(source.repo); !fault.empty())
        refuse(fault);
    if (at == rest.npos)
        return source;
    source.revision = rest.substr(at + 1);
    if (source.revision.size() > kLongestRevision)
        refuse(fmt::format("its revision has over {} bytes", kLongestRevision));
    if (std::string fault = hub_path_fault(source.revision); !fault.empty())
        refuse("its revision cannot be: " + fault);
    return source;
}

}  // namespace stillroom::lm
