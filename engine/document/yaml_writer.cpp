#include "engine/base/text.h"
#include "engine/document/node.h"
#include "engine/document/scalar.h"
#include "engine/document/spelled_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stillroom {
namespace {

constexpr std::size_t kLongestKey = 1000;  // bytes; a longer key needs '? ' before it

bool is_control(char32_t c) {
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xFEFF;
}

/// In double quotes, with every character escaped that may not stand in a file.
std::string quoted_text(std::string_view text) {
    constexpr std::string_view kPlainEscapes = "\"\\\n\t\r", kNames = "\"\\ntr";
    std::string out = "\"";
    for (std::size_t at = 0; at < text.size();) {
        std::size_t begin = at;
        char32_t c = decode_utf8(text, at);
        std::size_t named = c < 0x80 ? kPlainEscapes.find(static_cast<char>(c)) : std::string::npos;
        if (named != std::string::npos) {
            out += '\\';
            out += kNames[named];
        } else if (is_control(c)) {
            out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
        } else {
            out += text.substr(begin, at - begin);
        }
    }
    return out + '"';
}

bool has_controls(std::string_view text) {
    for (std::size_t at = 0; at < text.size();)
        if (is_control(decode_utf8(text, at)))
            return true;
    return false;
}

/// True where the text can stand as a plain scalar and reads back as the same kind and text.
bool fits_plain(std::string_view text, Kind kind, bool in_flow) {
    constexpr std::string_view kIndicators = "-?:,[]{}#&*!|>'\"%@`";
    if (text.empty() || core_kind(text) != kind || has_controls(text))
        return false;
    if (text.front() == ' ' || text.back() == ' ' || text.back() == ':')
        return false;
    if (kIndicators.find(text.front()) != std::string_view::npos) {
        bool sign =
            text.size() > 1 && text[1] != ' ' &&
            (text.front() == '-' || (!in_flow && (text.front() == '?' || text.front() == ':')));
        if (!sign)
            return false;
    }
    for (std::string_view mark : {"---", "...", "<<<<<<<", "======="})
        if (text.starts_with(mark))
            return false;
    if (text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos)
        return false;
    return text != "<<" && !(in_flow && text.find_first_of(",[]{}:") != std::string_view::npos);
}

/// True for a text of several lines that a literal block gives back as it is.
bool fits_literal(std::string_view text) {
    std::size_t first = text.find('\n');
    if (first == std::string_view::npos || first == 0 || text.front() == ' ' ||
        text.front() == '\t')
        return false;
    for (std::size_t at = 0; at < text.size();) {
        char32_t c = decode_utf8(text, at);
        if (is_control(c) && c != '\n' && c != '\t')
            return false;
    }
    return true;
}

std::string_view operator_tag(Operator op) {
    switch (op) {
        case Operator::append:
            return "!append";
        case Operator::prepend:
            return "!prepend";
        case Operator::remove:
            return "!remove";
        case Operator::replace:
            return "!replace";
        case Operator::unset:
            return "!unset";
        case Operator::none:
            break;
    }
    return "";
}

bool is_empty(const Node& node) {
    return node.items.empty() && node.entries.empty();
}

/// The text itself if a file would read it as this kind; override spellings (inf, 1_000, TrUe)
/// become the core's.
std::string plain_spelling(const Node& node) {
    if (core_kind(node.text) == node.kind)
        return node.text;
    if (node.kind == Kind::boolean)
        return boolean_value(node) ? "true" : "false";
    double value = double_value(node);
    if (std::isnan(value))
        return ".nan";
    if (std::isinf(value))
        return value < 0 ? "-.inf" : ".inf";
    std::string text = decimal_value(node).value_or(Decimal()).text();
    bool integral = text.find_first_of(".e") == std::string::npos;
    return node.kind == Kind::number && integral ? text + ".0" : text;
}

class YamlWriter {
public:
    std::string take() { return std::move(out_); }

    /// Behind a key, a dash or nothing; `depth` is that of what stands around.
    void write(const Node& node, int depth) {
        std::string_view tag = operator_tag(node.op);
        if (node.is_scalar() || is_empty(node) || (depth >= 0 && stays_on_line(node))) {
            if (node.style >= Style::literal && node.kind == Kind::string &&
                fits_literal(node.text))
                write_literal(node, depth);
            else
                out_ += fmt::format("{}{}\n", depth < 0 ? "" : " ", on_line(node, false));
            return;
        }
        if (depth >= 0)
            out_ += fmt::format("{}{}\n", tag.empty() ? "" : " ", tag);
        for (const Entry& entry : node.entries) {
            std::string key = key_text(entry, false);
            out_ += indent(depth + 1) + key;
            if (key.starts_with("? "))
                out_ += "\n" + indent(depth + 1);
            out_ += ':';
            write(*entry.value, depth + 1);
        }
        for (const NodePtr& item : node.items) {
            out_ += indent(depth + 1) + "-";
            write(*item, depth + 1);
        }
    }

private:
    static bool stays_on_line(const Node& node) {
        auto simple = [](const Node& child) { return child.is_scalar() || is_empty(child); };
        if (node.style != Style::flow)
            return false;
        return std::all_of(node.items.begin(),
                           node.items.end(),
                           [&](const NodePtr& item) { return simple(*item); }) &&
               std::all_of(node.entries.begin(), node.entries.end(), [&](const Entry& entry) {
                   return simple(*entry.value);
               });
    }

    static std::string indent(int depth) {
        return std::string(static_cast<std::size_t>(depth) * 2, ' ');
    }

    static std::string key_text(const Entry& entry, bool in_flow) {
        Kind kind = core_kind(entry.key);
        bool plain = kind != Kind::null && fits_plain(entry.key, kind, in_flow);
        std::string text = plain ? entry.key : quoted_text(entry.key);
        return text.size() > kLongestKey ? "? " + text : text;
    }

    static std::string on_line(const Node& node, bool in_flow) {
        std::string out(operator_tag(node.op));
        if (!out.empty())
            out += ' ';
        if (node.is_map()) {
            out += '{';
            for (const Entry& entry : node.entries)
                out += (&entry == &node.entries.front() ? "" : ", ") + key_text(entry, true) +
                       ": " + on_line(*entry.value, true);
            return out + '}';
        }
        if (node.is_list()) {
            out += '[';
            for (const NodePtr& item : node.items)
                out += (&item == &node.items.front() ? "" : ", ") + on_line(*item, true);
            return out + ']';
        }
        if (node.is_null())
            return out + "null";
        if (node.kind != Kind::string)
            return out + plain_spelling(node);
        std::string text = spelled_text(node);
        bool plain = !node.quoted() && fits_plain(text, Kind::string, in_flow);
        return out + (plain ? text : quoted_text(text));
    }

    void write_literal(const Node& node, int depth) {
        std::string_view text = node.text;
        std::string_view chomp = !text.ends_with('\n') ? "-" : text.ends_with("\n\n") ? "+" : "";
        std::string_view tag = operator_tag(node.op);
        out_ +=
            fmt::format("{}{}{}|{}\n", depth < 0 ? "" : " ", tag, tag.empty() ? "" : " ", chomp);
        if (text.ends_with('\n'))
            text.remove_suffix(1);
        for (const std::string& line : split(text, '\n'))
            out_ += (line.empty() ? "" : indent(std::max(depth, 0) + 1) + line) + "\n";
    }

    std::string out_;
};

}  // namespace

std::string to_yaml(const Node& node) {
    YamlWriter writer;
    writer.write(node, -1);
    return writer.take();
}

}  // namespace stillroom
