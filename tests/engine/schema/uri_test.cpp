#include "engine/schema/uri.h"

#include <doctest/doctest.h>

using namespace stillroom;

TEST_CASE("references are resolved as RFC 3986 lists them") {
    struct Row {
        const char* reference;
        const char* target;
    };
    // Section 5.4, base http://a/b/c/d;p?q
    constexpr Row kRows[] = {{"g:h", "g:h"},
                             {"g", "http://a/b/c/g"},
                             {"./g", "http://a/b/c/g"},
                             {"g/", "http://a/b/c/g/"},
                             {"/g", "http://a/g"},
                             {"//g", "http://g"},
                             {"?y", "http://a/b/c/d;p?y"},
                             {"g?y", "http://a/b/c/g?y"},
                             {"#s", "http://a/b/c/d;p?q#s"},
                             {"g#s", "http://a/b/c/g#s"},
                             {"g?y#s", "http://a/b/c/g?y#s"},
                             {";x", "http://a/b/c/;x"},
                             {"g;x?y#s", "http://a/b/c/g;x?y#s"},
                             {"", "http://a/b/c/d;p?q"},
                             {".", "http://a/b/c/"},
                             {"./", "http://a/b/c/"},
                             {"..", "http://a/b/"},
                             {"../", "http://a/b/"},
                             {"../g", "http://a/b/g"},
                             {"../..", "http://a/"},
                             {"../../g", "http://a/g"},
                             {"../../../g", "http://a/g"},
                             {"/./g", "http://a/g"},
                             {"/../g", "http://a/g"},
                             {"g.", "http://a/b/c/g."},
                             {"..g", "http://a/b/c/..g"},
                             {"./../g", "http://a/b/g"},
                             {"g/./h", "http://a/b/c/g/h"},
                             {"g/../h", "http://a/b/c/h"},
                             {"g;x=1/../y", "http://a/b/c/y"},
                             {"g?y/../x", "http://a/b/c/g?y/../x"},
                             {"g#s/../x", "http://a/b/c/g#s/../x"}};
    for (const Row& row : kRows) {
        INFO(row.reference);
        CHECK(resolve_uri("http://a/b/c/d;p?q", row.reference) == row.target);
    }
    CHECK(resolve_uri("urn:uuid:1", "#/a") == "urn:uuid:1#/a");
    CHECK(resolve_uri("", "a/b") == "a/b");
    CHECK(resolve_uri("http://a", "g") == "http://a/g");
}

TEST_CASE("a fragment is cut off and %XX decoded") {
    CHECK(split_fragment("http://a#b").base == "http://a");
    CHECK(split_fragment("http://a#b").fragment == "b");
    CHECK(split_fragment("http://a#").has_fragment);
    CHECK(!split_fragment("http://a").has_fragment);
    CHECK(decode_percent("a%25b%2") == "a%b%2");
    CHECK(decode_percent("%C3%A9") == "é");
}
