#pragma once

#include "engine/document/document.h"
#include "engine/schema/schema.h"
#include "engine/schema/validate.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace doctest {

/// Lists of texts are shown when they differ.
template <>
struct StringMaker<std::vector<std::string>> {
    static String convert(const std::vector<std::string>& lines) {
        std::string out;
        for (const std::string& line : lines)
            out += "\n      " + line;
        return out.c_str();
    }
};

}  // namespace doctest

namespace stillroom {

/// Texts of one test, read into trees.
struct Reading {
    Sources sources;
    Diagnostics diagnostics;

    NodePtr yaml(const std::string& text, const std::string& name = "test.yaml") {
        Document document = read_yaml(sources.add(name, text), Limits(), diagnostics);
        REQUIRE_MESSAGE(document.root, text);
        return document.root;
    }

    Schema schema(const std::string& text) {
        Schema compiled = compile(yaml(text, "test.schema.json"), "", nullptr, diagnostics);
        REQUIRE_MESSAGE(compiled, text);
        return compiled;
    }

    /// "file text at the place | message | hint" of every mistake.
    std::vector<std::string> mistakes(const Schema& compiled,
                                      const std::string& text,
                                      const ValidateOptions& options) {
        std::vector<std::string> out;
        for (const Mistake& mistake : validate(compiled, yaml(text), options)) {
            std::string line(sources.slice(mistake.where));
            line += " | " + mistake.message;
            out.push_back(mistake.hint.empty() ? line : line + " | " + mistake.hint);
        }
        return out;
    }
};

inline ValidateOptions in_recipe() {
    ValidateOptions options;
    options.typing = Typing::recipe;
    return options;
}

}  // namespace stillroom
