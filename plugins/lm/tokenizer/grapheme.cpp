#include "plugins/lm/tokenizer/grapheme.h"

#include "plugins/lm/tokenizer/unicode.h"
#include "plugins/lm/tokenizer/unicode_tables.h"

#include <algorithm>

namespace stillroom::lm {
namespace {

// As make_tables.py numbers them.
enum Class : unsigned {
    kAny,
    kPrepend,
    kCr,
    kLf,
    kControl,
    kExtend,
    kRegional,
    kSpacing,
    kL,
    kV,
    kT,
    kLv,
    kLvt,
    kZwj
};
constexpr unsigned kPictographic = 0x10;
constexpr unsigned kConsonant = 1 << 5, kConjunctExtend = 2 << 5, kLinker = 3 << 5;

unsigned value_of(char32_t c) {
    std::span<const std::uint32_t> runs = tables::grapheme_runs();
    auto after = std::upper_bound(runs.begin(), runs.end(), c << 8 | 255);
    return *(after - 1) & 255;
}

/// What is known of the cluster so far.
struct State {
    unsigned before = kAny;
    bool pictographic = false;  // one, and only Extend behind it
    bool joined = false;        // and then a ZWJ
    bool odd_regional = false;
    bool consonant = false;  // one, and only Extend and Linker behind it
    bool linked = false;     // with a Linker
};

bool breaks(const State& state, unsigned value) {
    unsigned before = state.before & 15, next = value & 15;
    if (before == kCr && next == kLf)
        return false;
    if (before == kCr || before == kLf || before == kControl || next == kCr || next == kLf ||
        next == kControl)
        return true;
    if (before == kL && (next == kL || next == kV || next == kLv || next == kLvt))
        return false;
    if ((before == kLv || before == kV) && (next == kV || next == kT))
        return false;
    if ((before == kLvt || before == kT) && next == kT)
        return false;
    if (next == kExtend || next == kZwj || next == kSpacing || before == kPrepend)
        return false;
    if (state.consonant && state.linked && (value & 0x60) == kConsonant)
        return false;
    if (state.joined && (value & kPictographic))
        return false;
    return !(state.odd_regional && next == kRegional);
}

void take(State& state, unsigned value) {
    unsigned kind = value & 15, conjunct = value & 0x60;
    state.joined = state.pictographic && kind == kZwj;
    state.pictographic = (value & kPictographic) || (state.pictographic && kind == kExtend);
    state.odd_regional = kind == kRegional && !state.odd_regional;
    bool goes_on = state.consonant && (conjunct == kConjunctExtend || conjunct == kLinker);
    state.linked = goes_on && (state.linked || conjunct == kLinker);
    state.consonant = goes_on || conjunct == kConsonant;
    state.before = value;
}

}  // namespace

std::size_t grapheme_end(std::string_view text, std::size_t at) {
    State state;
    int length = 0;
    take(state, value_of(code_point(text.data() + at, length)));
    for (at += static_cast<std::size_t>(length); at < text.size();
         at += static_cast<std::size_t>(length)) {
        unsigned value = value_of(code_point(text.data() + at, length));
        if (breaks(state, value))
            break;
        take(state, value);
    }
    return at;
}

}  // namespace stillroom::lm
