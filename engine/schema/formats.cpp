#include "engine/schema/formats.h"

#include "engine/document/scalar.h"

namespace stillroom {

Format format_named(std::string_view name) {
    if (name == "count")
        return Format::count;
    if (name == "bytes")
        return Format::bytes;
    if (name == "duration")
        return Format::duration;
    return Format::none;
}

std::optional<Decimal> spelled_value(Format format, std::string_view text) {
    switch (format) {
        case Format::bytes:
            return parse_bytes(text);
        case Format::duration:
            return parse_duration(text);
        case Format::count:
        case Format::none:
            break;
    }
    return parse_count(text);
}

std::string_view format_examples(Format format) {
    switch (format) {
        case Format::bytes:
            return "300MB, 5GB, 5GiB";
        case Format::duration:
            return "90s, 90m, 2h";
        case Format::count:
            return "6000000000, 6e9, 6B";
        case Format::none:
            break;
    }
    return "";
}

}  // namespace stillroom
