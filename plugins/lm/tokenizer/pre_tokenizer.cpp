#include "plugins/lm/tokenizer/pre_tokenizer.h"

#include "engine/base/text.h"
#include "plugins/lm/tokenizer/normalizer.h"
#include "plugins/lm/tokenizer/regex.h"
#include "plugins/lm/tokenizer/unicode.h"
#include "plugins/lm/tokenizer/unicode_tables.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

constexpr int kDeepest = 16;

struct Part {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool match = false;
};

/// The whole text as matches and what lies between them.
std::vector<Part> parts_of(std::string_view text, const Scanner& scanner) {
    std::vector<Part> out;
    std::size_t done = 0, from = 0;
    Scanner::Match match;
    while (from <= text.size() && scanner.next(text, from, match)) {
        if (match.begin > done)
            out.push_back({done, match.begin, false});
        out.push_back({match.begin, match.end, true});
        done = from = match.end;
        if (match.begin == match.end) {  // an empty one: a character further
            int length = 1;
            if (from < text.size())
                code_point(text.data() + from, length);
            from += static_cast<std::size_t>(length);
        }
    }
    if (done < text.size())
        out.push_back({done, text.size(), false});
    return out;
}

template <class Test>
std::vector<Part> parts_by(std::string_view text, Test test) {
    std::vector<Part> out;
    int length = 0;
    for (std::size_t at = 0; at < text.size(); at += static_cast<std::size_t>(length)) {
        bool match = test(code_point(text.data() + at, length));
        if (!match && !out.empty() && !out.back().match)
            out.back().end += static_cast<std::size_t>(length);
        else
            out.push_back({at, at + static_cast<std::size_t>(length), match});
    }
    return out;
}

std::vector<Part> merge_parts(const std::vector<Part>& parts, SplitBehaviour behaviour) {
    std::vector<Part> out;
    bool previous = false;
    switch (behaviour) {
        case SplitBehaviour::isolated:
            return parts;
        case SplitBehaviour::removed:
            std::copy_if(parts.begin(), parts.end(), std::back_inserter(out), [](const Part& part) {
                return !part.match;
            });
            return out;
        case SplitBehaviour::contiguous:
            for (const Part& part : parts) {
                if (part.match == previous && !out.empty())
                    out.back().end = part.end;
                else
                    out.push_back(part);
                previous = part.match;
            }
            return out;
        case SplitBehaviour::with_previous:
            for (const Part& part : parts) {
                if (part.match && !previous && !out.empty())
                    out.back().end = part.end;
                else
                    out.push_back(part);
                previous = part.match;
            }
            return out;
        case SplitBehaviour::with_next:
            for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
                if (part->match && !previous && !out.empty())
                    out.back().begin = part->begin;
                else
                    out.push_back(*part);
                previous = part->match;
            }
            std::reverse(out.begin(), out.end());
            return out;
    }
    return out;
}

void cut(const Piece& piece,
         std::vector<Part> parts,
         SplitBehaviour behaviour,
         std::vector<Piece>& out) {
    for (const Part& part : merge_parts(parts, behaviour))
        if (part.end > part.begin)
            out.push_back(piece.part(part.begin, part.end));
}

/// Cuts where `test` says of a character.
template <class Test>
PreTokenizer::Step by_character(SplitBehaviour behaviour, Test test) {
    return [behaviour, test](const Piece& piece, PieceStore&, std::vector<Piece>& out) {
        cut(piece, parts_by(piece.text, test), behaviour, out);
    };
}

PreTokenizer::Step by_bits(SplitBehaviour behaviour, std::uint16_t bits) {
    return by_character(behaviour,
                        [bits, &table = Unicode::get()](char32_t c) { return table.is(c, bits); });
}

/// A text, wherever it stands.
class Literal final : public Scanner {
public:
    explicit Literal(std::string text) : text_(std::move(text)) {}

    bool next(std::string_view text, std::size_t from, Match& match) const override {
        match.begin = text_.empty() ? std::string_view::npos : text.find(text_, from);
        match.end = match.begin + text_.size();
        return match.begin != std::string_view::npos;
    }

private:
    std::string text_;
};

/// `\w+|[^\w\s]+`
void words_and_signs(const Piece& piece, PieceStore&, std::vector<Piece>& out) {
    const Unicode& table = Unicode::get();
    auto kind = [&](std::size_t at, int& length) {
        std::uint16_t bits = table.bits(code_point(piece.text.data() + at, length));
        return bits & unicode::kWord ? 1 : bits & unicode::kSpace ? 0 : 2;
    };
    int length = 0;
    for (std::size_t at = 0; at < piece.text.size();) {
        int first = kind(at, length);
        std::size_t end = at;
        while (end < piece.text.size() && kind(end, length) == first)
            end += static_cast<std::size_t>(length);
        if (first != 0)
            out.push_back(piece.part(at, end));
        at = end;
    }
}

/// 0: one that goes with all.
std::uint32_t script_of(char32_t c) {
    std::span<const std::uint32_t> runs = tables::script_runs();
    auto behind = std::upper_bound(runs.begin(), runs.end(), c << 8 | 255);
    return *std::prev(behind) & 255;
}

/// Cuts where the script changes. As in the reference, blanks before the first script are lost.
void by_script(const Piece& piece, PieceStore&, std::vector<Piece>& out) {
    std::size_t begin = std::string_view::npos;
    std::uint32_t last = 0;
    int length = 0;
    for (std::size_t at = 0; at < piece.text.size(); at += static_cast<std::size_t>(length)) {
        std::uint32_t script = script_of(code_point(piece.text.data() + at, length));
        if (script == 0 || script == last)
            continue;
        if (last != 0)
            out.push_back(piece.part(begin, at));
        begin = at;
        last = script;
    }
    if (last != 0)
        out.push_back(piece.part(begin, piece.text.size()));
}

PreTokenizer::Step fixed_length(std::size_t characters) {
    return [characters](const Piece& piece, PieceStore&, std::vector<Piece>& out) {
        std::size_t begin = 0, count = 0;
        int length = 0;
        for (std::size_t at = 0; at < piece.text.size();) {
            code_point(piece.text.data() + at, length);
            at += static_cast<std::size_t>(length);
            if (++count == characters || at == piece.text.size()) {
                out.push_back(piece.part(begin, at));
                begin = at;
                count = 0;
            }
        }
    };
}

void lead_with_space(const Piece& piece, PieceStore& store, std::vector<Piece>& out) {
    bool has_one = !piece.text.empty() && piece.text[0] == ' ';
    out.push_back(has_one ? piece : prepend(piece, " ", store));
}

enum class Prepend : std::uint8_t { first, never, always };

SplitBehaviour behaviour_of(const std::string& name, const ComponentReader& reader) {
    constexpr std::string_view kNames[] = {
        "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
    auto found = std::find(std::begin(kNames), std::end(kNames), name);
    if (found == std::end(kNames))
        reader.refuse(fmt::format("the split behaviour '{}' is not known", name));
    return static_cast<SplitBehaviour>(found - std::begin(kNames));
}

}  // namespace

WordSink::~WordSink() = default;

PreTokenizer PreTokenizer::read(const Json& value, const ComponentReader& reader) {
    PreTokenizer out;
    if (!value.is_null())
        out.read_into(value, reader, 0);
    return out;
}

void PreTokenizer::split(std::shared_ptr<const Scanner> scanner,
                         SplitBehaviour behaviour,
                         bool invert) {
    bool plain = !invert && scanner->covers() && (behaviour == SplitBehaviour::isolated);
    if (plain) {
        stages_.push_back({nullptr, std::move(scanner)});
        return;
    }
    add([scanner, behaviour, invert](const Piece& piece, PieceStore&, std::vector<Piece>& out) {
        std::vector<Part> parts = parts_of(piece.text, *scanner);
        if (invert)
            for (Part& part : parts)
                part.match = !part.match;
        cut(piece, std::move(parts), behaviour, out);
    });
}

void PreTokenizer::read_split(const Json& value, const ComponentReader& reader) {
    SplitBehaviour behaviour = behaviour_of(reader.text(value, "behavior"), reader);
    bool invert = reader.flag(value, "invert", false);
    const Json* pattern = value.find("pattern");
    if (pattern && pattern->find("String")) {
        split(std::make_shared<Literal>(reader.text(*pattern, "String")), behaviour, invert);
    } else if (pattern && pattern->find("Regex")) {
        std::string text = reader.text(*pattern, "Regex");
        bool known = false;
        std::shared_ptr<const Scanner> scanner = scanner_of(text, known);
        if (!known)
            reader.notice(
                fmt::format("the split pattern {} is none of those known: it goes through PCRE2, "
                            "slower and with Unicode 14",
                            escape_controls(shorten(text, 60))));
        split(std::move(scanner), behaviour, invert);
        if (behaviour == SplitBehaviour::isolated && !invert) {
            stages_.back().pattern = text;
            join_patterns();
        }
    } else {
        reader.refuse("the pre-tokenizer Split has no pattern");
    }
}

/// The last three become one step where a scanner knows them together.
void PreTokenizer::join_patterns() {
    constexpr std::size_t kTogether = 3;
    if (stages_.size() < kTogether)
        return;
    std::vector<std::string> patterns;
    for (std::size_t i = stages_.size() - kTogether; i < stages_.size(); ++i)
        patterns.push_back(stages_[i].pattern);
    std::shared_ptr<const Scanner> scanner = known_scanner(patterns);
    if (!scanner)
        return;
    stages_.resize(stages_.size() - kTogether);
    split(std::move(scanner), SplitBehaviour::isolated, false);
}

void PreTokenizer::read_metaspace(const Json& value, const ComponentReader& reader) {
    char32_t mark = reader.character(value, "replacement");
    std::string replacement;
    append_utf8(replacement, mark);
    std::string scheme = reader.text(
        value, "prepend_scheme", reader.flag(value, "add_prefix_space", true) ? "always" : "never");
    if (scheme != "first" && scheme != "always" && scheme != "never")
        reader.refuse(fmt::format("the prepend_scheme '{}' is not known", scheme));
    Prepend when = scheme == "first"    ? Prepend::first
                   : scheme == "always" ? Prepend::always
                                        : Prepend::never;
    NormalizerStep replace = replace_step(" ", replacement);
    add([=](const Piece& piece, PieceStore& store, std::vector<Piece>& out) {
        Piece now = replace(piece, store);
        bool wanted = when == Prepend::always || (when == Prepend::first && now.at_start);
        if (wanted && !now.text.starts_with(replacement))
            now = prepend(now, replacement, store);
        out.push_back(now);
    });
    if (when == Prepend::first) {
        asks_first_ = stages_.size() == 1;
        asks_for_start_ = true;
    }
    if (reader.flag(value, "split", true))
        split(std::make_shared<Literal>(replacement), SplitBehaviour::with_next, false);
}

void PreTokenizer::read_into(const Json& value, const ComponentReader& reader, int depth) {
    std::string type = reader.type_of(value, "pre-tokenizer");
    if (type == "Sequence") {
        if (depth == kDeepest)
            reader.refuse(fmt::format("pre-tokenizers nested deeper than {}", kDeepest));
        for (const Json& item : reader.list(value, "pretokenizers"))
            read_into(item, reader, depth + 1);
    } else if (type == "ByteLevel") {
        if (reader.flag(value, "add_prefix_space", true))
            add(lead_with_space);
        if (reader.flag(value, "use_regex", true)) {
            bool apart = !stages_.empty() && stages_.back().cuts_digits;
            if (apart)  // both in one
                stages_.pop_back();
            split(apart ? gpt2_scanner_of_single_digits() : known_scanner(kGpt2Pattern),
                  SplitBehaviour::isolated,
                  false);
        }
        add([](const Piece& piece, PieceStore& store, std::vector<Piece>& out) {
            out.push_back(spell_piece(piece, store));
        });
        stages_.back().spells = true;
    } else if (type == "Split") {
        read_split(value, reader);
    } else if (type == "Metaspace") {
        read_metaspace(value, reader);
    } else if (type == "Digits") {
        bool each = reader.flag(value, "individual_digits", false);
        add(by_bits(each ? SplitBehaviour::isolated : SplitBehaviour::contiguous,
                    unicode::kNumeric));
        stages_.back().cuts_digits = each;
    } else if (type == "Punctuation") {
        add(by_bits(behaviour_of(reader.text(value, "behavior", "Isolated"), reader),
                    unicode::kOldPunctuation));
    } else if (type == "Whitespace") {
        add(words_and_signs);
    } else if (type == "WhitespaceSplit") {
        add(by_bits(SplitBehaviour::removed, unicode::kSpace));
    } else if (type == "BertPreTokenizer") {
        add(by_bits(SplitBehaviour::removed, unicode::kSpace));
        add(by_bits(SplitBehaviour::isolated, unicode::kOldPunctuation));
    } else if (type == "UnicodeScripts") {
        add(by_script);
    } else if (type == "CharDelimiterSplit") {
        char32_t delimiter = reader.character(value, "delimiter");
        add(by_character(SplitBehaviour::removed,
                         [delimiter](char32_t c) { return c == delimiter; }));
    } else if (type == "FixedLength") {
        std::int64_t length = reader.number(value, "length", 5);
        if (length < 1)
            reader.refuse(fmt::format("the length {} of FixedLength is less than 1", length));
        add(fixed_length(static_cast<std::size_t>(length)));
    } else {
        reader.refuse(fmt::format("the pre-tokenizer '{}' is not known", type));
    }
}

const Scanner* PreTokenizer::only_scanner() const {
    return stages_.size() == 1 ? stages_[0].covering.get() : nullptr;
}

void PreTokenizer::run(const Piece& piece, PieceStore& store, WordSink& sink) const {
    run_from(0, piece, store, sink);
}

void PreTokenizer::run_from(std::size_t stage,
                            const Piece& piece,
                            PieceStore& store,
                            WordSink& sink) const {
    if (stage == stages_.size()) {
        if (!piece.text.empty())
            sink.word(piece);
        return;
    }
    if (const Scanner* scanner = stages_[stage].covering.get()) {
        for (std::size_t at = 0; at < piece.text.size();) {
            std::size_t end = scanner->advance(piece.text, at);
            run_from(stage + 1, piece.part(at, end), store, sink);
            at = end;
        }
        return;
    }
    std::vector<Piece> parts;
    stages_[stage].step(piece, store, parts);
    for (const Piece& part : parts)
        if (!part.text.empty())
            run_from(stage + 1, part, store, sink);
}

}  // namespace stillroom::lm
