#include "engine/base/diagnostic.h"

#include "engine/base/json.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace {

constexpr std::string_view kRed = "\x1b[1;31m";
constexpr std::string_view kYellow = "\x1b[1;33m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kBlue = "\x1b[34m";
constexpr std::string_view kReset = "\x1b[0m";

constexpr std::size_t kExcerpt = 100;  // characters of a source line that are shown

class Painter {
public:
    explicit Painter(bool on) : on_(on) {}
    std::string operator()(std::string_view style, std::string_view text) const {
        return on_ ? fmt::format("{}{}{}", style, text, kReset) : std::string(text);
    }

private:
    bool on_;
};

std::string code_name(int code) {
    return fmt::format("R{:03}", code);
}

/// The source line around the span and the caret line below it. A long line is cut to a window
/// around the caret.
std::string excerpt(const Source& source,
                    Span where,
                    const Painter& paint,
                    std::string_view style) {
    std::size_t begin = source.offset(where.begin);
    std::size_t line_start = source.line_start(begin);
    std::string_view line = source.line(begin);
    std::size_t first = std::min(begin - line_start, line.size());
    std::size_t last = where.end > where.begin ? source.offset(where.end) - line_start : first + 1;
    last = std::clamp(last, first, line.size());

    std::size_t window = first > kExcerpt * 3 / 5 ? first - kExcerpt / 2 : 0;
    while (window > 0 && (static_cast<unsigned char>(line[window]) & 0xC0) == 0x80)
        --window;
    std::string_view before = line.substr(window, first - window);
    std::string_view marked = line.substr(first, last - first);
    std::string_view after = line.substr(last);
    std::string lead = window > 0 ? "..." : "";
    auto clean = [](std::string_view text) {
        std::string spaced(text);
        std::replace(spaced.begin(), spaced.end(), '\t', ' ');
        return escape_controls(spaced);
    };
    std::string shown_before = lead + clean(before);
    std::string shown_marked = shorten(clean(marked), kExcerpt);
    std::size_t room =
        kExcerpt > before.size() + marked.size() ? kExcerpt - before.size() - marked.size() : 10;
    std::string shown =
        shown_before + shown_marked + shorten(clean(after), std::max<std::size_t>(room, 10));
    while (!shown.empty() && shown.back() == ' ')
        shown.pop_back();

    Position position = source.position(begin);
    std::string gutter = source.is_argument() ? "     " : fmt::format("{:5}", position.line);
    std::string caret(static_cast<std::size_t>(display_width(shown_before)), ' ');
    caret += '^' + std::string(
                       static_cast<std::size_t>(std::max(0, display_width(shown_marked) - 1)), '~');
    return fmt::format("{}{}\n      {}{}\n",
                       gutter,
                       paint(kBlue, " | ") + shown,
                       paint(kBlue, "| "),
                       paint(style, caret));
}

std::string place_text(const Sources& sources, Span where) {
    if (!where)
        return "";
    return escape_controls(sources.position(where.begin).text()) + ": ";
}

}  // namespace

Diagnostic& Diagnostic::at_key(std::string path) {
    key = std::move(path);
    return *this;
}

Diagnostic& Diagnostic::note(Span place, std::string text) {
    notes.push_back({place, std::move(text)});
    return *this;
}

Diagnostic& Diagnostic::with_hint(std::string text) {
    if (!text.empty())
        hint = std::move(text);
    return *this;
}

Diagnostic& Diagnostic::exits(int number) {
    exit_code = number;
    return *this;
}

Diagnostic& Diagnostics::error(int code, Span where, std::string message) {
    return put(code, Severity::error, where, std::move(message));
}

Diagnostic& Diagnostics::warning(int code, Span where, std::string message) {
    return put(code, Severity::warning, where, std::move(message));
}

Diagnostic& Diagnostics::put(int code, Severity severity, Span where, std::string message) {
    Diagnostic diagnostic;
    diagnostic.code = code;
    diagnostic.severity = severity;
    diagnostic.where = where;
    diagnostic.message = std::move(message);
    add(std::move(diagnostic));
    return all_.back();
}

void Diagnostics::add(Diagnostic diagnostic) {
    if (diagnostic.severity == Severity::error)
        ++errors_;
    all_.push_back(std::move(diagnostic));
}

std::vector<const Diagnostic*> Diagnostics::sorted(const Sources& sources) const {
    std::vector<const Diagnostic*> list;
    for (const Diagnostic& diagnostic : all_)
        list.push_back(&diagnostic);
    auto file_of = [&](const Diagnostic& d) {
        const Source* source = sources.find(d.where.begin);
        return source ? source->name() : std::string();
    };
    std::stable_sort(list.begin(), list.end(), [&](const Diagnostic* a, const Diagnostic* b) {
        if (a->severity != b->severity)
            return a->severity == Severity::error;
        const Source* source_a = sources.find(a->where.begin);
        const Source* source_b = sources.find(b->where.begin);
        if (source_a != source_b) {
            std::string name_a = file_of(*a), name_b = file_of(*b);
            if (name_a != name_b)
                return name_a < name_b;
        }
        return a->where.begin < b->where.begin;
    });
    return list;
}

int Diagnostics::exit_code() const {
    int code = kExitOk;
    for (const Diagnostic& diagnostic : all_)
        if (diagnostic.severity == Severity::error)
            code = std::max(code, diagnostic.exit_code);
    return code;
}

std::string render(const Diagnostic& diagnostic,
                   const Sources& sources,
                   const RenderOptions& options) {
    Painter paint(options.color);
    bool is_error = diagnostic.severity == Severity::error;
    std::string_view style = is_error ? kRed : kYellow;
    std::string out = paint(kBold, place_text(sources, diagnostic.where));
    out += paint(style, is_error ? "error: " : "warning: ");
    out += paint(kBold, escape_controls(diagnostic.message));
    if (diagnostic.code != 0)
        out += fmt::format(" [{}]", code_name(diagnostic.code));
    out += '\n';
    if (const Source* source = sources.find(diagnostic.where.begin))
        out += excerpt(*source, diagnostic.where, paint, style);
    for (const Diagnostic::Note& note : diagnostic.notes)
        out += paint(kBold, "note: ") + place_text(sources, note.where) +
               escape_controls(note.message) + "\n";
    if (!diagnostic.hint.empty())
        out += paint(kBold, "hint: ") + escape_controls(diagnostic.hint) + "\n";
    return out;
}

std::string render(const Diagnostics& diagnostics,
                   const Sources& sources,
                   const RenderOptions& options) {
    std::string out;
    std::size_t shown = 0;
    for (const Diagnostic* diagnostic : diagnostics.sorted(sources)) {
        if (shown++ == options.most)
            break;
        out += render(*diagnostic, sources, options);
    }
    std::size_t all = diagnostics.all().size();
    if (all > options.most)
        out += fmt::format("and {} more; `--format json` lists all {}\n", all - options.most, all);
    return out;
}

void write_problems(JsonWriter& out, const Diagnostics& diagnostics, const Sources& sources) {
    out.begin_array();
    for (const Diagnostic* d : diagnostics.sorted(sources)) {
        Position begin = sources.position(d->where.begin);
        Position end = sources.position(d->where.end);
        auto file = [&](const Position& position) {
            position.file.empty() ? out.null() : out.string(position.file);
        };
        auto number = [&](int value) { value == 0 ? out.null() : out.integer(value); };
        out.begin_object();
        out.key("code"), d->code == 0 ? out.null() : out.string(code_name(d->code));
        out.key("severity"), out.string(d->severity == Severity::error ? "error" : "warning");
        out.key("message"), out.string(d->message);
        out.key("file"), file(begin);
        out.key("line"), number(begin.line);
        out.key("column"), number(begin.column);
        out.key("end_line"), number(end.line);
        out.key("end_column"), number(end.column);
        out.key("key"), d->key.empty() ? out.null() : out.string(d->key);
        out.key("notes"), out.begin_array();
        for (const Diagnostic::Note& note : d->notes) {
            Position at = sources.position(note.where.begin);
            out.begin_object();
            out.key("message"), out.string(note.message);
            out.key("file"), file(at);
            out.key("line"), number(at.line);
            out.key("column"), number(at.column);
            out.end_object();
        }
        out.end_array();
        out.key("hint"), d->hint.empty() ? out.null() : out.string(d->hint);
        out.end_object();
    }
    out.end_array();
}

}  // namespace stillroom
