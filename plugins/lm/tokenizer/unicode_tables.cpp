#include "plugins/lm/tokenizer/unicode_tables.h"

namespace stillroom::lm::tables {
namespace {

#include "plugins/lm/tokenizer/unicode_data.inc"

}  // namespace

std::span<const std::uint32_t> category_runs() {
    return kCategoryRuns;
}
std::span<const std::uint32_t> class_runs() {
    return kClassRuns;
}
std::span<const std::uint32_t> canonical() {
    return kCanonical;
}
std::span<const std::uint32_t> compatible() {
    return kCompatible;
}
std::span<const std::uint32_t> compositions() {
    return kCompositions;
}
std::span<const std::uint32_t> lower_runs() {
    return kLowerRuns;
}
std::span<const std::uint32_t> old_marks() {
    return kOldMarks;
}
std::span<const std::uint32_t> nonspacing() {
    return kNonspacing;
}
std::span<const std::uint32_t> numeric() {
    return kNumeric;
}
std::span<const std::uint32_t> dropped() {
    return kDropped;
}
std::span<const std::uint32_t> old_punctuation() {
    return kOldPunctuation;
}
std::span<const std::uint32_t> grapheme_runs() {
    return kGraphemeRuns;
}
std::span<const std::uint32_t> script_runs() {
    return kScriptRuns;
}

}  // namespace stillroom::lm::tables
