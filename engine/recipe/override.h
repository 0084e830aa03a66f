#pragma once

#include "engine/base/diagnostic.h"
#include "engine/base/source.h"
#include "engine/document/node.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// One word of the command line that is no flag. Make its text a source by
/// `sources.add_argument(index, text)`, so that messages can point into it.
struct Argument {
    int index = 0;  ///< its place in argv
    std::string text;
};

enum class OverrideKind : std::uint8_t {
    change,     // key=v
    add,        // +key=v
    force_add,  // ++key=v
    remove,     // ~key, ~key=v
    append,     // key+=[..]
    prepend,    // key^=[..]
    subtract,   // key-=[..]
    replace     // key:={..}
};

/// A value that stands for several, one a job.
struct Sweep {
    enum class Form : std::uint8_t {
        choice,    // a,b  choice(a,b)
        range,     // range(0,10,2); its numbers are in `values` already
        interval,  // interval(0,1): `start` and `end`, for an optimiser
        glob       // glob(a*): the options of the group that the key names
    };

    Form form = Form::choice;
    std::vector<NodePtr> values;  ///< of a choice or range, in order, at least one
    NodePtr start,
        end;  ///< of an interval; of a range too, with `step`, until sort or shuffle reorder it
    NodePtr step;
    std::vector<std::string> include, exclude;  ///< of a glob
    std::vector<std::string> tags;
    Span where;
};

/// One override, as written: nothing is looked up yet, so it is not known whether a key without '/'
/// names a group.
struct Override {
    OverrideKind kind = OverrideKind::change;
    bool is_group = false;  ///< written with a '/': it can only name a group

    std::string key;                     ///< "a.b.0", "db", "opt/inner"; `a[0]` is "a.0"
    std::vector<std::string> path;       ///< its parts; of a group with '/' the key as one part
    std::optional<std::string> package;  ///< after '@'; `db@=x` has an empty one

    NodePtr value;               ///< none: `~key`, or a sweep
    std::optional<Sweep> sweep;  ///< instead of a value
    /// `name=zip(key=[..], key=[..])`: the rows, each with one override a key. `key` is the name.
    std::vector<std::vector<Override>> rows;

    Span where;        ///< the whole argument
    Span key_where;    ///< with its package
    Span value_where;  ///< empty, at the end, where nothing follows the '='
    std::string text;  ///< the argument as written; of a job's override its canonical spelling

    bool swept() const { return sweep || !rows.empty(); }
};

/// Reads one override. Its mistakes become diagnostics that point into the source, and then nothing
/// is returned. Values have the origin `argument`.
STILLROOM_API std::optional<Override> parse_override(const Source& source,
                                                     Diagnostics& diagnostics);

/// The same for every argument; those with mistakes are left out.
STILLROOM_API std::vector<Override> parse_overrides(Sources& sources,
                                                    const std::vector<Argument>& arguments,
                                                    Diagnostics& diagnostics);

/// The value alone, `text` as it would stand right of the '='; its places are all `where`. Sweeps
/// and calls are refused. Serves `oc.decode`. On a mistake nothing, and `mistake` says what.
STILLROOM_API NodePtr parse_override_value(std::string_view text, Span where, std::string& mistake);

/// A sweep where only one job is made: the error, with its three ways out.
STILLROOM_API Diagnostic sweep_needs_multirun(const Override& override);

/// "+db@pkg", "~a.b", "k+=": for messages and canonical spellings.
STILLROOM_API std::string spell_key(const Override& override);

/// A value spelled so that it reads back the same: [1,'a b',{x: 2}].
STILLROOM_API std::string spell_value(const Node& value);

}  // namespace stillroom
