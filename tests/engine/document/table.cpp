#include "tests/engine/document/table.h"

#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/document/document.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>

namespace stillroom::test {
namespace {

std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        char c = text[++i];
        if (c == 'x') {
            out += static_cast<char>(
                std::strtol(std::string(text.substr(i + 1, 2)).c_str(), nullptr, 16));
            i += 2;
        } else if (c != 'e') {
            out += c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
        }
    }
    return out;
}

using Read = Document (*)(const Source&, const Limits&, Diagnostics&);

std::string outcome(const std::string& text, Read read) {
    Sources sources;
    Diagnostics diagnostics;
    Document document = read(sources.add("case", text), Limits{}, diagnostics);
    if (document.root) {
        JsonWriter json;
        write_json(json, *document.root);
        return json.text();
    }
    const Diagnostic& first = *diagnostics.sorted(sources).at(0);
    Position at = sources.position(first.where.begin);
    return fmt::format("{}:{} R{:03} {}", at.line, at.column, first.code, first.message);
}

}  // namespace

std::string outcome_of_yaml(const std::string& text) {
    return outcome(text, read_yaml);
}

std::string outcome_of_json(const std::string& text) {
    return outcome(text, read_json);
}

std::size_t check_table(std::string_view name, std::string (*outcome_of)(const std::string&)) {
    constexpr std::string_view kArrow = " => ";
    std::string path = environment("STILLROOM_TEST_TABLES") + "/" + std::string(name);
    bool accept = environment("STILLROOM_ACCEPT") == "1";
    std::string rewritten;
    std::size_t rows = 0, number = 0;
    std::string text = read_file(path, 1 << 20);
    for (const std::string& line : split(text, '\n')) {
        ++number;
        std::size_t arrow = line.rfind(kArrow);
        if (line.starts_with('#') || arrow == std::string::npos) {
            rewritten += line + "\n";
            continue;
        }
        ++rows;
        std::string outcome = outcome_of(unescape(line.substr(0, arrow)));
        rewritten += line.substr(0, arrow) + std::string(kArrow) + outcome + "\n";
        INFO(name << ":" << number);
        if (!accept)
            CHECK(outcome == line.substr(arrow + kArrow.size()));
    }
    rewritten.pop_back();  // the text behind the last line end is no line
    if (accept)
        write_file(path, rewritten);
    return rows;
}

}  // namespace stillroom::test
