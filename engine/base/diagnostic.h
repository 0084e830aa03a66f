#pragma once

#include "engine/base/error.h"
#include "engine/base/source.h"

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

enum class Severity { error, warning };

/// One mistake (or warning) in what the user wrote. Mistakes are collected, so that all are shown
/// at once; one root cause gives one diagnostic.
struct STILLROOM_API Diagnostic {
    struct Note {
        Span where;
        std::string message;
    };

    int code = 0;  ///< 401 is shown as R401; see codes.h. 0: none
    Severity severity = Severity::error;
    Span where;
    std::string message;  ///< lower case, no full stop, the value and the limit named
    std::string key;      ///< the dotted path at fault, where there is one
    std::vector<Note> notes;
    std::string hint;
    int exit_code = kExitUsage;

    Diagnostic& at_key(std::string path);
    Diagnostic& note(Span where, std::string message);
    Diagnostic& with_hint(std::string text);  ///< an empty text changes nothing
    Diagnostic& exits(int code);
};

class STILLROOM_API Diagnostics {
public:
    /// The reference stays valid while the collection lives.
    Diagnostic& error(int code, Span where, std::string message);
    Diagnostic& warning(int code, Span where, std::string message);
    void add(Diagnostic diagnostic);

    bool ok() const { return errors_ == 0; }
    std::size_t errors() const { return errors_; }
    bool empty() const { return all_.empty(); }
    const std::deque<Diagnostic>& all() const { return all_; }
    std::vector<const Diagnostic*> sorted(
        const Sources& sources) const;  ///< errors before warnings, by file and place

    /// What the process ends with: 0 without errors; 10 wins over 9, 5, 4, 3 and 2.
    int exit_code() const;

private:
    Diagnostic& put(int code, Severity severity, Span where, std::string message);

    std::deque<Diagnostic> all_;
    std::size_t errors_ = 0;
};

struct RenderOptions {
    bool color = false;
    std::size_t most = 20;  ///< errors shown as text; the rest is counted
};

/// As the command line prints them: place, message, code, the line with a caret, notes, hint.
STILLROOM_API std::string render(const Diagnostic& diagnostic,
                                 const Sources& sources,
                                 const RenderOptions& options);
STILLROOM_API std::string render(const Diagnostics& diagnostics,
                                 const Sources& sources,
                                 const RenderOptions& options);

class JsonWriter;
/// The `problems` list of every --json and --format json.
STILLROOM_API void write_problems(JsonWriter& out,
                                  const Diagnostics& diagnostics,
                                  const Sources& sources);

}  // namespace stillroom
