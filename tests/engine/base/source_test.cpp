#include "engine/base/source.h"

#include "engine/base/diagnostic.h"

#include <doctest/doctest.h>

using namespace stillroom;

TEST_CASE("a place is a line and a column in code points") {
    Sources sources;
    const Source& first = sources.add("a.yaml", "x: é1\r\ny: 2");
    const Source& second = sources.add_argument(3, "a=1");
    CHECK(sources.position(first.place(5)).text() == "a.yaml:1:5");
    CHECK(sources.position(first.place(8)).text() == "a.yaml:2:1");
    CHECK(sources.position(second.place(2)).text() == "argv:3:3");
    CHECK(sources.position(first.place(first.text().size())).line == 2);
    CHECK(sources.find(second.place(0)) == &second);
    CHECK(first.line(0) == "x: é1");
}

TEST_CASE("a message shows its line, a caret of the right width, its notes and its hint") {
    Sources sources;
    const Source& source = sources.add("r.yaml", "stages:\n  s: {targt: 1}\n");
    Diagnostics diagnostics;
    diagnostics.error(401, source.span(14, 19), "unknown key 'targt'")
        .note(source.span(10, 11), "stage 's' first set here")
        .with_hint("did you mean 'target'?");
    CHECK(render(diagnostics, sources, {}) ==
          "r.yaml:2:7: error: unknown key 'targt' [R401]\n"
          "    2 |   s: {targt: 1}\n"
          "      |       ^~~~~\n"
          "note: r.yaml:2:3: stage 's' first set here\n"
          "hint: did you mean 'target'?\n");
    CHECK(diagnostics.exit_code() == 2);
}
