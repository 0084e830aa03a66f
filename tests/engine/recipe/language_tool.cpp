// Reads lines of JSON strings and prints a line of JSON for each: what an override or an
// interpolation means. tests/reference/hydra_differential.py drives it.
//
//   language_tool override       "a=1"            {"kind","key","package","value"|"sweep"}
//   language_tool interpolation  "{a: ${b}, ..}"  {"value": the value of v}
//
// A refusal is {"error": message}. Numbers that are not integers are {"float": "1.5"}, quoted texts
// {"quoted": "x"}.

#include "engine/base/json.h"
#include "engine/base/source.h"
#include "engine/document/document.h"
#include "engine/document/scalar.h"
#include "engine/recipe/override.h"
#include "engine/recipe/override_casts.h"
#include "engine/recipe/resolve.h"
#include "tests/engine/recipe/language_fixture.h"

#include <cstdio>
#include <cstring>
#include <string>

namespace {

using namespace stillroom;

void write(JsonWriter& out, const Node& node, bool quotes) {
    switch (node.kind) {
        case Kind::null:
            out.null();
            return;
        case Kind::boolean:
            out.boolean(boolean_value(node));
            return;
        case Kind::integer:
            out.raw(decimal_value(node).value_or(Decimal()).text());
            return;
        case Kind::number:
            out.begin_object();
            out.key("float");
            out.string(float_text(double_value(node)));
            out.end_object();
            return;
        case Kind::string:
            if (!quotes || !node.quoted())
                return out.string(node.text);
            out.begin_object();
            out.key("quoted");
            out.string(node.text);
            out.end_object();
            return;
        case Kind::list:
            out.begin_array();
            for (const NodePtr& item : node.items)
                write(out, *item, quotes);
            out.end_array();
            return;
        case Kind::map:
            out.begin_object();
            for (const Entry& entry : node.entries) {
                out.key(entry.key);
                write(out, *entry.value, quotes);
            }
            out.end_object();
            return;
    }
}

void write(JsonWriter& out, const Sweep& sweep) {
    static constexpr const char* kForms[] = {"choice", "range", "interval", "glob"};
    out.key("sweep");
    out.string(kForms[static_cast<int>(sweep.form)]);
    out.key("values");
    out.begin_array();
    for (const NodePtr& value : sweep.values)
        write(out, *value, true);
    if (sweep.form == Sweep::Form::interval) {
        write(out, *sweep.start, true);
        write(out, *sweep.end, true);
    }
    for (const std::string& pattern : sweep.include)
        out.string(pattern);
    for (const std::string& pattern : sweep.exclude)
        out.string(pattern);
    out.end_array();
    out.key("tags");
    out.begin_array();
    for (const std::string& tag : sweep.tags)
        out.string(tag);
    out.end_array();
}

void refuse(JsonWriter& out, const Diagnostics& diagnostics) {
    out.key("error");
    out.string(diagnostics.empty() ? "no such key" : diagnostics.all().front().message);
}

void read_override(JsonWriter& out, Sources& sources, const std::string& text) {
    Diagnostics diagnostics;
    auto override = parse_override(sources.add_argument(1, text), diagnostics);
    if (!override)
        return refuse(out, diagnostics);
    out.key("kind");
    out.integer(static_cast<int>(override->kind));
    out.key("key");
    out.string(override->key);
    if (override->package) {
        out.key("package");
        out.string(*override->package);
    }
    if (override->sweep)
        return write(out, *override->sweep);
    if (override->value) {
        out.key("value");
        write(out, *override->value, true);
    }
}

void read_interpolation(JsonWriter& out, Sources& sources, const std::string& text) {
    Diagnostics diagnostics;
    Document document = read_json(sources.add("tree", text), Limits{}, diagnostics);
    NodePtr value;
    if (document.root)
        value = resolve_at(document.root, {"v"}, test::case_options(), diagnostics);
    if (!value)
        return refuse(out, diagnostics);
    out.key("value");
    write(out, *value, false);
}

/// The text of a JSON string, which a line of input is.
std::string decoded(const std::string& line) {
    Sources sources;
    Diagnostics diagnostics;
    Document document = read_json(sources.add("line", line), Limits{}, diagnostics);
    return document.root ? document.root->text : "";
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) {
        std::fputs("usage: language_tool override|interpolation\n", stderr);
        return 2;
    }
    bool overrides = std::strcmp(arguments[1], "override") == 0;
    std::string line;
    for (int c; (c = std::getchar()) != EOF;) {
        if (c != '\n') {
            line.push_back(static_cast<char>(c));
            continue;
        }
        Sources sources;
        JsonWriter out;
        out.begin_object();
        if (overrides)
            read_override(out, sources, decoded(line));
        else
            read_interpolation(out, sources, decoded(line));
        out.end_object();
        std::puts(out.text().c_str());
        line.clear();
    }
    return 0;
}
