#include "tests/engine/recipe/case_lines.h"

#include "engine/base/text.h"

#include <fstream>
#include <stdexcept>

namespace stillroom::test {
namespace {

std::ifstream open(const std::string& name) {
    std::ifstream file(std::string(STILLROOM_LANGUAGE_CASES) + "/" + name);
    if (!file)
        throw std::runtime_error("cannot read the case file " + name);
    return file;
}

std::vector<std::string> split_fields(const std::string& line) {
    std::vector<std::string> fields;
    std::size_t at = 0;
    for (std::size_t bar; (bar = line.find(" | ", at)) != std::string::npos; at = bar + 3)
        fields.push_back(line.substr(at, bar - at));
    fields.push_back(line.substr(at));
    return fields;
}

}  // namespace

std::vector<CaseLine> read_case_lines(const std::string& name, std::size_t fields) {
    std::ifstream file = open(name);
    std::vector<CaseLine> out;
    std::string text;
    for (int line = 1; std::getline(file, text); ++line) {
        if (text.empty() || text[0] == '#')
            continue;
        out.push_back({name, line, split_fields(text)});
        if (out.back().fields.size() != fields)
            throw std::runtime_error(name + ":" + std::to_string(line) + ": expected " +
                                     std::to_string(fields) + " fields");
    }
    return out;
}

std::set<std::string> deviations() {
    std::set<std::string> ids;
    for (const CaseLine& line : read_case_lines("deviations.txt", 2))
        ids.insert(line.fields[0]);
    return ids;
}

bool matches(const std::string& expected, const std::string& outcome) {
    if (!expected.starts_with("ERR("))
        return expected == outcome;
    std::string part = expected.substr(4, expected.size() - 5);
    return outcome.starts_with("ERR(") && outcome.find(part) != std::string::npos;
}

}  // namespace stillroom::test
