#include "plugins/lm/tokenizer/bpe.h"

#include "engine/base/text.h"
#include "plugins/lm/tokenizer/byte_alphabet.h"
#include "plugins/lm/tokenizer/text_hash.h"
#include "plugins/lm/tokenizer/unicode.h"
#include "plugins/lm/tokenizer/word_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <queue>

namespace stillroom::lm {
namespace {

constexpr std::uint32_t kNone = Vocabulary::kNone;
constexpr std::size_t kShort = 48;  // symbols

std::string byte_token(unsigned byte) {
    return fmt::format("<0x{:02X}>", byte);
}

}  // namespace

Model::~Model() = default;

void Model::encode_ids(std::string_view word,
                       const char*,
                       WordCache&,
                       std::vector<std::uint32_t>& out) const {
    std::vector<Token> tokens;
    encode(word, tokens);
    for (const Token& token : tokens)
        out.push_back(token.id);
}

void Model::encode_words(std::string_view text,
                         std::size_t begin,
                         std::span<const std::size_t> ends,
                         WordCache& cache,
                         std::vector<std::uint32_t>& out) const {
    for (std::size_t end : ends) {
        encode_ids(text.substr(begin, end - begin), text.data() + text.size(), cache, out);
        begin = end;
    }
}

PairTable::PairTable(const std::vector<Merge>& merges)
    : entries_(std::bit_ceil(merges.size() * 8 / 5 + 16)),
      mask_(entries_.size() - 1),
      seed_(hash_seed() | 1) {
    for (const Merge& merge : merges) {
        std::size_t i = hash(merge.left, merge.right) & mask_;
        while (entries_[i].rank != kNone &&
               (entries_[i].left != merge.left || entries_[i].right != merge.right))
            i = (i + 1) & mask_;
        entries_[i] = {merge.left, merge.right, merge.rank, merge.made};
    }
}

std::size_t PairTable::hash(std::uint32_t left, std::uint32_t right) const {
    std::uint64_t key = static_cast<std::uint64_t>(left) << 32 | right;
    key *= seed_;
    return key ^ key >> 29 ^ key >> 47;
}

Bpe::Bpe(const Vocabulary& vocabulary, const std::vector<Merge>& merges, BpeSettings settings)
    : vocabulary_(vocabulary),
      pairs_(merges),
      settings_(std::move(settings)) {
    for (unsigned b = 0; b < 256; ++b) {
        std::string spelled;
        append_utf8(spelled, spelling_of_byte(static_cast<unsigned char>(b)));
        byte_ids_[b] = vocabulary_.find(spelled);
        fallback_ids_[b] = vocabulary_.find(byte_token(b));
    }
    find_borders(merges);
}

bool Bpe::read_bytes() {
    bool all = std::find(byte_ids_.begin(), byte_ids_.end(), kNone) == byte_ids_.end();
    bytes_ = all && settings_.prefix.empty() && settings_.suffix.empty();
    if (bytes_)
        joins_.clear();
    return bytes_;
}

/// Neighbours that stand inside no token can never be merged, so a text without other divisions is
/// cut there, into parts that a cache remembers. That holds where each character becomes symbols by
/// itself: always by byte_fallback, and no merge of those bytes.
void Bpe::find_borders(const std::vector<Merge>& merges) {
    bool by_itself =
        settings_.byte_fallback && settings_.prefix.empty() && settings_.suffix.empty() &&
        !settings_.ignore_merges &&
        std::find(fallback_ids_.begin(), fallback_ids_.end(), kNone) == fallback_ids_.end();
    if (!by_itself)
        return;
    std::vector<bool> fallback(vocabulary_.id_end());
    for (std::uint32_t id : fallback_ids_)
        fallback[id] = true;
    for (const Merge& merge : merges)
        if (fallback[merge.left] || fallback[merge.right])
            return;
    joins_.assign(std::bit_ceil(std::max<std::size_t>(1024, merges.size() / 4)), 0);
    for (const Merge& merge : merges) {
        std::string_view text = *vocabulary_.text_of(merge.made);
        int length = 0;
        char32_t before = code_point(text.data(), length);
        for (auto at = static_cast<std::size_t>(length); at < text.size();
             at += static_cast<std::size_t>(length)) {
            char32_t c = code_point(text.data() + at, length);
            std::uint64_t hash = mix_hash(std::uint64_t{before} << 32 | c, 0x9E3779B97F4A7C15);
            joins_[(hash >> 6) & (joins_.size() - 1)] |= std::uint64_t{1} << (hash & 63);
            before = c;
        }
    }
}

bool Bpe::may_join(char32_t left, char32_t right) const {
    std::uint64_t hash = mix_hash(std::uint64_t{left} << 32 | right, 0x9E3779B97F4A7C15);
    return joins_[(hash >> 6) & (joins_.size() - 1)] >> (hash & 63) & 1;
}

bool Bpe::whole(std::string_view word, std::uint32_t& id) const {
    if (!settings_.ignore_merges)
        return false;
    id = bytes_ ? vocabulary_.find(spell_bytes(word)) : vocabulary_.find(word);
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

void Bpe::merge(std::vector<Symbol>& symbols) const {
    if (symbols.size() <= kShort)
        merge_short(symbols);
    else
        merge_long(symbols);
}

void Bpe::merge_short(std::vector<Symbol>& symbols) const {
    std::size_t n = symbols.size();
    const PairTable::Entry* pairs[kShort];
    std::uint32_t ranks[kShort];
    auto look = [&](std::size_t i) {
        pairs[i] = i + 1 < n ? pairs_.find(symbols[i].id, symbols[i + 1].id) : nullptr;
        ranks[i] = pairs[i] ? pairs[i]->rank : kNone;
    };
    for (std::size_t i = 0; i < n; ++i)
        look(i);
    while (n > 1) {
        std::size_t best = 0;
        for (std::size_t i = 1; i + 1 < n; ++i)
            if (ranks[i] < ranks[best])
                best = i;
        if (ranks[best] == kNone)
            break;
        symbols[best].id = pairs[best]->made;
        symbols[best].size += symbols[best + 1].size;
        --n;
        for (std::size_t i = best + 1; i < n; ++i) {
            symbols[i] = symbols[i + 1];
            pairs[i] = pairs[i + 1];
            ranks[i] = ranks[i + 1];
        }
        look(best);
        if (best > 0)
            look(best - 1);
    }
    symbols.resize(n);
}

void Bpe::merge_long(std::vector<Symbol>& symbols) const {
    struct Link {
        std::uint32_t before;
        std::uint32_t next;
    };
    auto n = static_cast<std::uint32_t>(symbols.size());
    std::vector<Link> links(n);
    for (std::uint32_t i = 0; i < n; ++i)
        links[i] = {i == 0 ? kNone : i - 1, i + 1 == n ? kNone : i + 1};
    std::vector<std::uint64_t> first;  // rank << 32 | place
    auto entry_at = [&](std::uint32_t i) {
        std::uint32_t next = links[i].next;
        return next == kNone ? nullptr : pairs_.find(symbols[i].id, symbols[next].id);
    };
    auto as_task = [](const PairTable::Entry* entry, std::uint32_t i) {
        return static_cast<std::uint64_t>(entry->rank) << 32 | i;
    };
    for (std::uint32_t i = 0; i < n; ++i)
        if (const PairTable::Entry* entry = entry_at(i))
            first.push_back(as_task(entry, i));
    std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> tasks(
        std::greater<>(), std::move(first));
    while (!tasks.empty()) {
        std::uint64_t task = tasks.top();
        tasks.pop();
        auto i = static_cast<std::uint32_t>(task);
        if (symbols[i].size == 0)
            continue;  // merged away
        const PairTable::Entry* entry = entry_at(i);
        if (!entry || entry->rank != task >> 32)
            continue;  // another pair by now
        std::uint32_t gone = links[i].next;
        symbols[i].id = entry->made;
        symbols[i].size += symbols[gone].size;
        symbols[gone].size = 0;
        links[i].next = links[gone].next;
        if (links[i].next != kNone)
            links[links[i].next].before = i;
        if (const PairTable::Entry* made = entry_at(i))
            tasks.push(as_task(made, i));
        std::uint32_t before = links[i].before;
        if (before != kNone)
            if (const PairTable::Entry* made = entry_at(before))
                tasks.push(as_task(made, before));
    }
    std::erase_if(symbols, [](const Symbol& symbol) { return symbol.size == 0; });
}

void Bpe::encode(std::string_view word, std::vector<Token>& out) const {
    std::uint32_t id = 0;
    if (whole(word, id)) {
        out.push_back({id, 0, static_cast<std::uint32_t>(word.size())});
        return;
    }
    std::vector<Symbol> symbols;
    symbols_of(word, symbols);
    merge(symbols);
    std::uint32_t at = 0;
    for (const Symbol& symbol : symbols) {
        out.push_back({symbol.id, at, at + symbol.size});
        at += symbol.size;
    }
}

void Bpe::encode_part(std::string_view word,
                      const char* readable,
                      WordCache& cache,
                      std::vector<std::uint32_t>& out) const {
    WordCache::Key key = WordCache::key_of(word, readable);
    if (key) {
        std::uint32_t ids[WordCache::kMostTokens];
        std::size_t count = 0;
        if (cache.find(key, ids, count)) {
            out.insert(out.end(), ids, ids + count);
            return;
        }
    }
    std::uint32_t id = 0;
    if (whole(word, id)) {
        out.push_back(id);
        if (key)
            cache.remember(key, &id, 1);
        return;
    }
    std::vector<Symbol> symbols;
    symbols_of(word, symbols);
    merge(symbols);
    std::size_t at = out.size();
    for (const Symbol& symbol : symbols)
        out.push_back(symbol.id);
    if (key)
        cache.remember(key, out.data() + at, symbols.size());
}

void Bpe::encode_words(std::string_view text,
                       std::size_t begin,
                       std::span<const std::size_t> ends,
                       WordCache& cache,
                       std::vector<std::uint32_t>& out) const {
    constexpr std::size_t kAtOnce = 32;
    WordCache::Key keys[kAtOnce];
    const char* readable = text.data() + text.size();
    for (std::size_t first = 0; first < ends.size(); first += kAtOnce) {
        std::size_t count = std::min(kAtOnce, ends.size() - first);
        std::size_t at = begin;
        for (std::size_t i = 0; i < count; ++i) {
            std::size_t end = ends[first + i];
            keys[i] = WordCache::key_of({text.data() + at, end - at}, readable);
            cache.prefetch(keys[i]);
            at = end;
        }
        std::size_t used = out.size();
        out.resize(used + kAtOnce * WordCache::kMostTokens);
        for (std::size_t i = 0; i < count; ++i) {
            std::size_t end = ends[first + i];
            if (keys[i] && cache.find(keys[i], out.data() + used, used)) {
                begin = end;
                continue;
            }
            out.resize(used);
            encode_ids({text.data() + begin, end - begin}, readable, cache, out);
            used = out.size();
            out.resize(used + kAtOnce * WordCache::kMostTokens);
            begin = end;
        }
        out.resize(used);
    }
}

void Bpe::encode_ids(std::string_view word,
                     const char* readable,
                     WordCache& cache,
                     std::vector<std::uint32_t>& out) const {
    if (joins_.empty() || word.size() <= WordCache::kLongest) {
        encode_part(word, readable, cache, out);
        return;
    }
    int length = 0;
    char32_t before = code_point(word.data(), length);
    std::size_t begin = 0;
    for (auto at = static_cast<std::size_t>(length); at < word.size();) {
        char32_t c = code_point(word.data() + at, length);
        if (!may_join(before, c)) {
            encode_part(word.substr(begin, at - begin), readable, cache, out);
            begin = at;
        }
        before = c;
        at += static_cast<std::size_t>(length);
    }
    encode_part(word.substr(begin), readable, cache, out);
}

}  // namespace stillroom::lm
