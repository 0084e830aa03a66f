#include "tests/engine/recipe/outcome.h"

#include "engine/base/json.h"
#include "engine/document/scalar.h"
#include "engine/recipe/override_casts.h"

namespace stillroom::test {
namespace {

std::string joined(const std::vector<NodePtr>& values) {
    std::string out;
    for (const NodePtr& value : values)
        out += (out.empty() ? "" : ", ") + outcome(*value);
    return out;
}

std::string joined(const std::vector<std::string>& texts) {
    std::string out;
    for (const std::string& text : texts)
        out += (out.empty() ? "" : ", ") + text;
    return out;
}

std::string sweep_outcome(const Sweep& sweep) {
    std::string tags = sweep.tags.empty() ? "" : " tagged " + joined(sweep.tags);
    switch (sweep.form) {
        case Sweep::Form::choice:
            return "choice(" + joined(sweep.values) + ")" + tags;
        case Sweep::Form::range:
            return "range(" + joined(sweep.values) + ")" + tags;
        case Sweep::Form::interval:
            return "interval[" + outcome(*sweep.start) + ", " + outcome(*sweep.end) + ")" + tags;
        case Sweep::Form::glob:
            break;
    }
    std::string except = sweep.exclude.empty() ? "" : " except " + joined(sweep.exclude);
    return "glob(" + joined(sweep.include) + except + ")" + tags;
}

std::string_view kind_text(OverrideKind kind) {
    switch (kind) {
        case OverrideKind::change:
            return "";
        case OverrideKind::add:
            return "add ";
        case OverrideKind::force_add:
            return "force-add ";
        case OverrideKind::remove:
            return "delete ";
        case OverrideKind::append:
            return "append ";
        case OverrideKind::prepend:
            return "prepend ";
        case OverrideKind::subtract:
            return "subtract ";
        case OverrideKind::replace:
            break;
    }
    return "replace ";
}

}  // namespace

std::string outcome(const Node& value) {
    switch (value.kind) {
        case Kind::null:
            return "null";
        case Kind::boolean:
            return boolean_value(value) ? "true" : "false";
        case Kind::integer:
            return "int " + decimal_value(value).value_or(Decimal()).text();
        case Kind::number:
            return "float " + float_text(double_value(value));
        case Kind::string:
            return (value.quoted() ? "Q\"" : "\"") + value.text + "\"";
        case Kind::list:
            return "[" + joined(value.items) + "]";
        case Kind::map:
            break;
    }
    std::string out;
    for (const Entry& entry : value.entries)
        out += (out.empty() ? "" : ", ") + json_quoted(entry.key) + ": " + outcome(*entry.value);
    return "{" + out + "}";
}

std::string outcome(const Override& override) {
    std::string out(kind_text(override.kind));
    out += override.key;
    if (override.is_group)
        out += " (group)";
    if (override.package)
        out += " at \"" + *override.package + "\"";
    if (override.value)
        return out + " = " + outcome(*override.value);
    if (override.sweep)
        return out + " = " + sweep_outcome(*override.sweep);
    if (override.rows.empty())
        return out;
    out += " = zip(";
    for (const auto& row : override.rows) {
        out += &row == &override.rows.front() ? "" : "; ";
        for (const Override& cell : row)
            out += (&cell == &row.front() ? "" : ", ") + outcome(cell);
    }
    return out + ")";
}

}  // namespace stillroom::test
