#include "plugins/lm/tokenizer/bpe.h"

#include "engine/base/text.h"
#include "plugins/lm/tokenizer/beside.h"
#include "plugins/lm/tokenizer/byte_alphabet.h"
#include "plugins/lm/tokenizer/id_buffer.h"
#include "plugins/lm/tokenizer/unicode.h"
#include "plugins/lm/tokenizer/word_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace stillroom::lm {
namespace {

constexpr std::uint32_t kNone = Vocabulary::kNone;
constexpr std::size_t kShort = 96;  // bytes

/// As many as a character has bytes.
constexpr std::size_t kMostBytes = 4;

std::string_view first_characters(std::string_view text) {
    std::size_t end = 0;
    for (std::size_t count = 0; count < kMostBytes && end < text.size(); ++count)
        for (++end; end < text.size() && (text[end] & 0xC0) == 0x80;)
            ++end;
    return text.substr(0, end);
}

std::string_view last_characters(std::string_view text) {
    std::size_t begin = text.size();
    for (std::size_t count = 0; count < kMostBytes && begin > 0; ++count)
        for (--begin; begin > 0 && (text[begin] & 0xC0) == 0x80;)
            --begin;
    return text.substr(begin);
}

std::string byte_token(unsigned byte) {
    return fmt::format("<0x{:02X}>", byte);
}

}  // namespace

Model::~Model() = default;

void Model::encode_words(std::string_view text,
                         std::size_t begin,
                         std::span<const std::uint32_t> ends,
                         WordCache&,
                         IdBuffer& out) const {
    std::vector<Token> tokens;
    for (std::size_t end : ends) {
        tokens.clear();
        encode(text.substr(begin, end - begin), tokens);
        for (const Token& token : tokens)
            out.push_back(token.id);
        begin = end;
    }
}

Bpe::Bpe(const Vocabulary& vocabulary, std::span<const Merge> merges, BpeSettings settings)
    : vocabulary_(vocabulary),
      settings_(std::move(settings)) {
    constexpr std::size_t kWorthThread = 20'000;
    find_bytes();
    bool bytes = has_bytes();  // then most likely read_bytes() comes
    Beside<void> neighbours =
        beside([&] { find_byte_neighbours(merges); }, bytes && merges.size() >= kWorthThread);
    pairs_ = PairRanks(merges);
    if (bytes) {
        find_byte_pairs(merges);
        neighbours.get();
    }
    find_neighbours();
}

Bpe::Bpe(const Vocabulary& vocabulary, CompiledReader& in, BpeSettings settings)
    : vocabulary_(vocabulary),
      pairs_(in),
      settings_(std::move(settings)) {
    find_bytes();
    byte_pairs_.see(in.take<std::uint32_t>());
    neighbours_.read(in);
    in.require(byte_pairs_.empty() || byte_pairs_.size() == 256 * 256);
    bool inside = true;
    for (std::uint32_t rank : byte_pairs_.all())
        inside &= rank == kNone || rank < pairs_.ranks();
    in.require(inside);
}

bool Bpe::write(CompiledWriter& out) const {
    pairs_.write(out);
    out.add(byte_pairs_.all());
    neighbours_.write(out);
    return true;
}

void Bpe::find_bytes() {
    for (unsigned b = 0; b < 256; ++b) {
        std::string spelled;
        append_utf8(spelled, spelling_of_byte(static_cast<unsigned char>(b)));
        byte_ids_[b] = vocabulary_.find(spelled);
        fallback_ids_[b] = vocabulary_.find(byte_token(b));
    }
}

bool Bpe::has_bytes() const {
    bool all = std::find(byte_ids_.begin(), byte_ids_.end(), kNone) == byte_ids_.end();
    return all && settings_.prefix.empty() && settings_.suffix.empty();
}

bool Bpe::read_bytes() {
    bytes_ = has_bytes();
    if (bytes_ && !byte_neighbours_.empty())
        neighbours_ = std::move(byte_neighbours_);
    return bytes_;
}

/// Where characters are symbols it holds that no merge reaches over such a place if each becomes
/// symbols by itself: always by byte_fallback, and no merge of those bytes.
void Bpe::find_neighbours() {
    bool by_itself =
        settings_.byte_fallback && settings_.prefix.empty() && settings_.suffix.empty() &&
        !settings_.ignore_merges &&
        std::find(fallback_ids_.begin(), fallback_ids_.end(), kNone) == fallback_ids_.end();
    if (!by_itself)
        return;
    if (pairs_.mentions(fallback_ids_))
        return;
    neighbours_.expect(pairs_.ranks() * 4);
    for (std::uint32_t id : pairs_.all_made())
        if (id != kNone)
            neighbours_.add(*vocabulary_.text_of(id));
}

void Bpe::find_byte_neighbours(std::span<const Merge> merges) {
    // Only what begins a character may meet what is not ASCII: the bytes from 0xC0 on are spelled
    // U+00C0 to U+00FF, and ASCII spells ASCII.
    constexpr char kBeginsCharacter = '\xC3';
    std::vector<std::uint8_t> begins(vocabulary_.id_end()), ends(begins);
    for (std::uint32_t id = 0; id < begins.size(); ++id)
        if (std::optional<std::string_view> text = vocabulary_.text_of(id);
            text && !text->empty()) {
            begins[id] = text->front() == kBeginsCharacter;
            ends[id] = (text->back() & 0x80) != 0;
        }
    std::string left, right;
    byte_neighbours_.expect(merges.size());
    for (const Merge& merge : merges) {
        if ((ends[merge.left] & begins[merge.right]) == 0)
            continue;
        // Both together, as such words have no prefix; tokens are mostly made in their order.
        std::string_view made = *vocabulary_.text_of(merge.made);
        std::size_t middle = vocabulary_.text_of(merge.left)->size();
        // What is spelled otherwise bytes never make.
        if (spelled_bytes(last_characters(made.substr(0, middle)), left) &&
            spelled_bytes(first_characters(made.substr(middle)), right))
            byte_neighbours_.add_meeting(left, right);
    }
}

void Bpe::find_byte_pairs(std::span<const Merge> merges) {
    constexpr std::uint16_t kNoByte = 256;
    std::vector<std::uint16_t> byte_of(vocabulary_.id_end(), kNoByte);
    for (std::uint16_t byte = 0; byte < kNoByte; ++byte)
        byte_of[byte_ids_[byte]] = byte;
    byte_pairs_.change([&](auto& ranks) {
        ranks.assign(std::size_t{256} * 256, kNone);
        for (const Merge& merge : merges)
            if (std::size_t left = byte_of[merge.left], right = byte_of[merge.right];
                left < kNoByte && right < kNoByte)
                ranks[left << 8 | right] = merge.rank;
    });
}

bool Bpe::whole(std::string_view word, std::uint32_t& id) const {
    if (!settings_.ignore_merges || word.size() > kLongestToken)
        return false;
    if (!bytes_) {
        id = vocabulary_.find(word);
    } else if (word.size() <= kShort) {
        char spelled[2 * kShort];
        id = vocabulary_.find({spelled, spell_bytes(word, spelled)});
    } else {
        id = vocabulary_.find(spell_bytes(word));
    }
    return id != kNone;
}

bool Bpe::byte_symbols(std::string_view text, std::vector<Symbol>& out) const {
    auto missing = [this](char c) { return fallback_ids_[static_cast<unsigned char>(c)] == kNone; };
    if (std::any_of(text.begin(), text.end(), missing))
        return false;
    for (char c : text)
        out.push_back({fallback_ids_[static_cast<unsigned char>(c)], 1});
    return true;
}

/// As the reference does it: what is unknown waits, and the bytes of a later character overtake it.
void Bpe::characters_of(std::string_view word, std::vector<Symbol>& out) const {
    std::optional<Symbol> waiting;
    int length = 0;
    std::string spelled;
    for (std::size_t at = 0; at < word.size(); at += static_cast<std::size_t>(length)) {
        code_point(word.data() + at, length);
        auto bytes = static_cast<std::uint32_t>(length);
        std::string_view text = word.substr(at, bytes);
        bool last = at + bytes == word.size();
        if ((at > 0 && !settings_.prefix.empty()) || (last && !settings_.suffix.empty())) {
            spelled = at > 0 ? settings_.prefix : "";
            spelled += text;
            if (last)
                spelled += settings_.suffix;
            text = spelled;
        }
        if (std::uint32_t id = vocabulary_.find(text); id != kNone) {
            if (waiting)
                out.push_back(*waiting);
            waiting.reset();
            out.push_back({id, bytes});
            continue;
        }
        if (settings_.byte_fallback && byte_symbols(text, out))
            continue;
        if (!settings_.unknown)
            continue;
        if (waiting && settings_.fuse_unknown) {
            waiting->size += bytes;
            continue;
        }
        if (waiting)
            out.push_back(*waiting);
        waiting = Symbol{*settings_.unknown, bytes};
    }
    if (waiting)
        out.push_back(*waiting);
}

void Bpe::symbols_of(std::string_view word, std::vector<Symbol>& out) const {
    out.clear();
    if (!bytes_) {
        characters_of(word, out);
        return;
    }
    for (char c : word)
        out.push_back({byte_ids_[static_cast<unsigned char>(c)], 1});
}

/// A word's bytes.
struct Bpe::Bytes {
    const Bpe& bpe;
    std::string_view word;

    std::size_t byte(std::size_t at) const { return static_cast<unsigned char>(word[at]); }
    std::uint32_t size() const { return static_cast<std::uint32_t>(word.size()); }
    std::uint32_t id(std::size_t at) const { return bpe.byte_ids_[byte(at)]; }
    std::uint32_t rank(std::size_t at) const {
        return bpe.byte_pairs_[byte(at) << 8 | byte(at + 1)];
    }
};

/// What stands for a word's characters, or its bytes.
struct Bpe::Symbols {
    const Bpe& bpe;
    std::span<const Symbol> all;

    std::uint32_t size() const { return static_cast<std::uint32_t>(all.size()); }
    std::uint32_t id(std::size_t at) const { return all[at].id; }
    std::uint32_t rank(std::size_t at) const { return bpe.pairs_.find(all[at].id, all[at + 1].id); }
};

void Bpe::encode(std::string_view word, std::vector<Token>& out) const {
    std::uint32_t id = 0;
    if (whole(word, id)) {
        out.push_back({id, 0, static_cast<std::uint32_t>(word.size())});
        return;
    }
    std::vector<Symbol> symbols;
    symbols_of(word, symbols);
    std::size_t first = out.size();
    merge_symbols(Symbols{*this, symbols}, pairs_, [&](std::uint32_t place, std::uint32_t token) {
        out.push_back({token, place, 0});
    });
    // The places of symbols become those of bytes.
    std::uint32_t at = 0;
    for (std::size_t i = first; i < out.size(); ++i) {
        std::size_t until = i + 1 < out.size() ? out[i + 1].begin : symbols.size();
        std::size_t place = std::exchange(out[i].begin, at);
        for (; place < until; ++place)
            at += symbols[place].size;
        out[i].end = at;
    }
}

void Bpe::encode_merged(std::string_view word, IdBuffer& out) const {
    auto token = [&](std::uint32_t, std::uint32_t id) { out.push_back(id); };
    if (bytes_) {
        merge_symbols(Bytes{*this, word}, pairs_, token);
        return;
    }
    std::vector<Symbol> symbols;
    symbols_of(word, symbols);
    merge_symbols(Symbols{*this, symbols}, pairs_, token);
}

struct Bpe::Lookup {
    WordCache::Key key;
    std::uint64_t hash = 0;
};

/// What is remembered goes out, the rest to `unknown`. First all keys are made and their places
/// asked for, as memory takes longer than all else.
template <class Unknown>
void Bpe::look_up(const char* text,
                  std::size_t begin,
                  std::span<const std::uint32_t> ends,
                  const char* readable,
                  std::uint64_t mark,
                  WordCache& cache,
                  IdBuffer& out,
                  Unknown unknown) {
    constexpr std::size_t kAtOnce = 64;
    constexpr std::size_t kRoom = (kAtOnce + 1) * WordCache::kRoom;
    Lookup looks[kAtOnce];
    for (; !ends.empty(); ends = ends.subspan(std::min(kAtOnce, ends.size()))) {
        std::size_t count = std::min(kAtOnce, ends.size());
        const std::uint32_t* end_of = ends.data();
        std::uint64_t longs[kAtOnce];
        std::size_t long_count = 0;
        for (std::size_t i = 0, at = begin; i < count; at = end_of[i++]) {
            Lookup& look = looks[i];
            look.key = WordCache::key_of({text + at, end_of[i] - at}, readable);
            if (look.key) {
                look.key.high |= mark;
                look.hash = look.key.hash();
                cache.prefetch(look.hash);
            } else if (end_of[i] - at <= LongWords::kLongest) {
                look.hash = LongWords::hash_of({text + at, end_of[i] - at}, mark != 0);
                cache.long_words.prefetch(look.hash);
                longs[long_count++] = look.hash;
            }
        }
        for (std::size_t i = 0; i < long_count; ++i)
            cache.long_words.prefetch_word(longs[i]);
        std::uint32_t* into = out.room(kRoom);
        std::size_t used = 0;
        for (std::size_t i = 0; i < count; begin = end_of[i++]) {
            const Lookup& look = looks[i];
            std::size_t found = look.key ? cache.find(look.key, look.hash, into + used) : 0;
            used += found;
            if (found > 0)
                continue;
            out.wrote(used);
            unknown(std::string_view(text + begin, end_of[i] - begin), look);
            into = out.room(kRoom);
            used = 0;
        }
        out.wrote(used);
    }
}

bool Bpe::find_long(
    std::string_view word, bool part, const Lookup& look, WordCache& cache, IdBuffer& out) {
    if (look.key || word.size() > LongWords::kLongest)
        return false;
    std::span<const std::uint32_t> found = cache.long_words.find(word, part, look.hash);
    constexpr std::size_t kStep = 4;  // a copy of any length would be a slow one
    std::uint32_t* into = out.room(found.size() + kStep);
    for (std::size_t i = 0; i < found.size(); i += kStep)
        std::memcpy(into + i, found.data() + i, kStep * sizeof(std::uint32_t));
    out.wrote(found.size());
    return !found.empty();
}

/// Its ids stand in `out` from `from` on.
void Bpe::remember(std::string_view word,
                   bool part,
                   const Lookup& look,
                   std::size_t from,
                   WordCache& cache,
                   const IdBuffer& out) {
    std::span<const std::uint32_t> ids = out.ids().subspan(from);
    if (look.key)
        cache.remember(look.key, ids);
    else if (word.size() <= LongWords::kLongest)
        cache.long_words.remember(word, part, look.hash, ids);
}

/// A part is no word: it never stands whole in the vocabulary but by merges.
void Bpe::encode_parts(const char* text,
                       std::size_t begin,
                       std::span<const std::uint32_t> ends,
                       const char* readable,
                       WordCache& cache,
                       IdBuffer& out) const {
    bool apart = settings_.ignore_merges;
    std::uint64_t mark = apart ? std::uint64_t{1} << 63 : 0;
    auto unknown = [&](std::string_view part, const Lookup& look) {
        if (find_long(part, apart, look, cache, out))
            return;
        std::size_t from = out.size();
        encode_merged(part, out);
        remember(part, apart, look, from, cache, out);
    };
    look_up(text, begin, ends, readable, mark, cache, out, unknown);
}

/// false, and nothing done: it cannot be divided.
bool Bpe::encode_divided(std::string_view word,
                         const char* readable,
                         WordCache& cache,
                         IdBuffer& out) const {
    constexpr std::size_t kAtOnce = 64;
    if (neighbours_.empty())
        return false;
    std::uint32_t ends[kAtOnce];
    std::size_t count = 0, begin = 0;
    int length = 0;
    char32_t before = code_point(word.data(), length);
    for (auto at = static_cast<std::size_t>(length); at < word.size();
         at += static_cast<std::size_t>(length)) {
        char32_t c = code_point(word.data() + at, length);
        bool cut = (!bytes_ || (before >= 0x80 && c >= 0x80)) && !neighbours_.may_join(before, c);
        before = c;
        if (!cut)
            continue;
        ends[count++] = static_cast<std::uint32_t>(at);
        if (count == kAtOnce) {
            encode_parts(word.data(), begin, {ends, count}, readable, cache, out);
            begin = at;
            count = 0;
        }
    }
    if (count == 0 && begin == 0)
        return false;
    auto size = static_cast<std::uint32_t>(word.size());
    encode_parts(word.data(), begin, {ends, count}, readable, cache, out);
    encode_parts(
        word.data(), count > 0 ? ends[count - 1] : begin, {&size, 1}, readable, cache, out);
    return true;
}

void Bpe::encode_unknown(std::string_view word,
                         const Lookup& look,
                         const char* readable,
                         WordCache& cache,
                         IdBuffer& out) const {
    if (find_long(word, false, look, cache, out))
        return;
    std::size_t from = out.size();
    std::uint32_t id = 0;
    if (whole(word, id))
        out.push_back(id);
    else if (!encode_divided(word, readable, cache, out))
        encode_merged(word, out);
    remember(word, false, look, from, cache, out);
}

void Bpe::encode_words(std::string_view text,
                       std::size_t begin,
                       std::span<const std::uint32_t> ends,
                       WordCache& cache,
                       IdBuffer& out) const {
    const char* readable = text.data() + text.size();
    auto unknown = [&](std::string_view word, const Lookup& look) {
        encode_unknown(word, look, readable, cache, out);
    };
    look_up(text.data(), begin, ends, readable, 0, cache, out, unknown);
}

}  // namespace stillroom::lm
