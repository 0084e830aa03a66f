#include "plugins/lm/tokenizer/normalizer.h"

#include "plugins/lm/tokenizer/base64.h"
#include "plugins/lm/tokenizer/byte_alphabet.h"
#include "plugins/lm/tokenizer/charsmap.h"
#include "plugins/lm/tokenizer/normal_form.h"
#include "plugins/lm/tokenizer/regex.h"
#include "plugins/lm/tokenizer/unicode.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

constexpr int kDeepest = 16;

/// Calls act(code point, bytes) for each character that is left, which must take it.
template <class Act>
Piece each_character(const Piece& piece, PieceStore& store, Act act) {
    Rewriter out(piece);
    while (!out.at_end()) {
        int length = 0;
        char32_t c = code_point(piece.text.data() + out.at(), length);
        act(out, c, static_cast<std::size_t>(length));
    }
    return out.finish(store);
}

Piece lowercase(const Piece& piece, PieceStore& store) {
    return each_character(piece, store, [](Rewriter& out, char32_t c, std::size_t) {
        if (c == 0x130) {
            out.put('i', 0);
            out.put(0x307, 1);
        } else {
            out.put(lower_case(c), 0);
        }
    });
}

Piece without(const Piece& piece, PieceStore& store, std::uint16_t bits) {
    const Unicode& table = Unicode::get();
    return each_character(piece, store, [&](Rewriter& out, char32_t c, std::size_t bytes) {
        if (table.is(c, bits))
            out.drop(bytes);
        else
            out.copy(bytes);
    });
}

Piece nmt(const Piece& piece, PieceStore& store) {
    return each_character(piece, store, [](Rewriter& out, char32_t c, std::size_t bytes) {
        bool control = (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F ||
                       c == 0x8F || c == 0x9F;
        bool blank = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                     (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                     c == 0xFEFF || c == 0xFFFD;
        if (control)
            out.drop(bytes);
        else if (blank)
            out.put(' ', 0);
        else
            out.copy(bytes);
    });
}

struct Bert {
    bool clean = true;
    bool chinese = true;
    bool accents = true;
    bool lower = true;

    Piece operator()(Piece piece, PieceStore& store) const {
        const Unicode& table = Unicode::get();
        if (clean)
            piece = each_character(piece, store, [&](Rewriter& out, char32_t c, std::size_t bytes) {
                if (table.is(c, unicode::kDropped))
                    out.drop(bytes);
                else if (table.is(c, unicode::kSpace))
                    out.put(' ', 0);
                else
                    out.copy(bytes);
            });
        if (chinese)
            piece = each_character(piece, store, [](Rewriter& out, char32_t c, std::size_t bytes) {
                if (!is_chinese(c)) {
                    out.copy(bytes);
                    return;
                }
                out.put(' ', 0);
                out.put(c, 1);
                out.put(' ', 1);
            });
        if (accents)
            piece = without(normalize(piece, NormalForm::nfd, store), store, unicode::kNonspacing);
        return lower ? lowercase(piece, store) : piece;
    }

    static bool is_chinese(char32_t c) {
        return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
               (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
               (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
               (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
    }
};

NormalizerStep strip_step(bool left, bool right) {
    return [left, right](const Piece& piece, PieceStore& store) {
        const Unicode& table = Unicode::get();
        std::size_t begin = 0, end = piece.text.size();
        int length = 0;
        while (left && begin < end &&
               table.is(code_point(piece.text.data() + begin, length), unicode::kSpace))
            begin += static_cast<std::size_t>(length);
        while (right && end > begin &&
               table.is(code_point_before(piece.text.data() + end, length), unicode::kSpace))
            end -= static_cast<std::size_t>(length);
        Piece out = piece.part(begin, end);
        (void)store;
        return out;
    };
}

NormalizerStep replace_pattern_step(std::shared_ptr<const Scanner> scanner, std::string to) {
    return [scanner, to](const Piece& piece, PieceStore& store) {
        Rewriter out(piece);
        Scanner::Match match;
        std::size_t from = 0;
        bool changed = false;
        while (from <= piece.text.size() && scanner->next(piece.text, from, match)) {
            out.copy(match.begin - out.at());
            out.drop(match.end - match.begin);
            out.insert(to);
            changed = true;
            from = match.end;
            if (match.end == match.begin) {  // an empty one: a character further
                int length = 1;
                if (from < piece.text.size())
                    code_point(piece.text.data() + from, length);
                from += static_cast<std::size_t>(length);
            }
        }
        if (!changed)
            return piece;
        out.copy(piece.text.size() - out.at());
        return out.finish(store);
    };
}

}  // namespace

NormalizerStep replace_step(std::string from, std::string to) {
    return [from = std::move(from), to = std::move(to)](const Piece& piece, PieceStore& store) {
        std::size_t found = from.empty() ? std::string_view::npos : piece.text.find(from);
        if (found == std::string_view::npos)
            return piece;
        Rewriter out(piece);
        for (; found != std::string_view::npos; found = piece.text.find(from, out.at())) {
            out.copy(found - out.at());
            out.drop(from.size());
            out.insert(to);
        }
        out.copy(piece.text.size() - out.at());
        return out.finish(store);
    };
}

Piece prepend(const Piece& piece, std::string_view text, PieceStore& store) {
    if (piece.text.empty())
        return piece;
    // The first inserted character takes the place of the first of the text, which then follows as
    // inserted: all of them come from there.
    std::string out(text);
    out += piece.text;
    std::vector<Bounds> bounds;
    if (piece.bounds) {
        bounds.assign(text.size(), piece.bounds[0]);
        bounds.insert(bounds.end(), piece.bounds, piece.bounds + piece.text.size());
    }
    return store.keep(std::move(out), std::move(bounds), piece.at_start);
}

NormalizerStep prepend_step(std::string text) {
    return [text = std::move(text)](const Piece& piece, PieceStore& store) {
        return prepend(piece, text, store);
    };
}

Piece spell_piece(const Piece& piece, PieceStore& store) {
    std::vector<Bounds> bounds;
    std::string text;
    for (std::size_t i = 0; i < piece.text.size(); ++i) {
        char32_t c = spelling_of_byte(static_cast<unsigned char>(piece.text[i]));
        if (c < 0x80) {
            text += static_cast<char>(c);
        } else {
            text += static_cast<char>(0xC0 | c >> 6);
            text += static_cast<char>(0x80 | (c & 63));
        }
        if (piece.bounds)
            bounds.resize(text.size(), piece.bounds[i]);
    }
    return store.keep(std::move(text), std::move(bounds), piece.at_start);
}

Normalizer Normalizer::read(const Json& value, const ComponentReader& reader) {
    Normalizer out;
    if (!value.is_null())
        out.read_into(value, reader, 0);
    return out;
}

void Normalizer::read_into(const Json& value, const ComponentReader& reader, int depth) {
    std::string type = reader.type_of(value, "normalizer");
    auto form = [this](NormalForm which) {
        add([which](const Piece& piece, PieceStore& store) {
            return normalize(piece, which, store);
        });
    };
    if (type == "Sequence") {
        if (depth == kDeepest)
            reader.refuse(fmt::format("normalizers nested deeper than {}", kDeepest));
        for (const Json& item : reader.list(value, "normalizers"))
            read_into(item, reader, depth + 1);
    } else if (type == "NFC") {
        form(NormalForm::nfc);
    } else if (type == "NFD") {
        form(NormalForm::nfd);
    } else if (type == "NFKC") {
        form(NormalForm::nfkc);
    } else if (type == "NFKD") {
        form(NormalForm::nfkd);
    } else if (type == "Lowercase") {
        add(lowercase);
    } else if (type == "Strip" || type == "StripNormalizer") {
        add(strip_step(reader.flag(value, "strip_left", true),
                       reader.flag(value, "strip_right", true)));
    } else if (type == "StripAccents") {
        add([](const Piece& piece, PieceStore& store) {
            return without(piece, store, unicode::kOldMark);
        });
    } else if (type == "Prepend") {
        add(prepend_step(reader.text(value, "prepend")));
    } else if (type == "Replace") {
        std::string to = reader.text(value, "content");
        const Json* pattern = value.find("pattern");
        if (pattern && pattern->find("String"))
            add(replace_step(reader.text(*pattern, "String"), to));
        else if (pattern && pattern->find("Regex"))
            add(replace_pattern_step(std::make_shared<Regex>(reader.text(*pattern, "Regex")), to));
        else
            reader.refuse("the normalizer Replace has no pattern");
    } else if (type == "Nmt") {
        add(nmt);
    } else if (type == "BertNormalizer") {
        Bert bert;
        bert.clean = reader.flag(value, "clean_text", true);
        bert.chinese = reader.flag(value, "handle_chinese_chars", true);
        bert.lower = reader.flag(value, "lowercase", true);
        bert.accents = reader.flag(value, "strip_accents", bert.lower);
        add(bert);
    } else if (type == "Precompiled") {
        std::optional<std::string> bytes =
            decode_base64(reader.text(value, "precompiled_charsmap"));
        if (bytes && bytes->empty())
            return;  // no rules
        std::optional<Charsmap> map = bytes ? Charsmap::read(*bytes) : std::nullopt;
        if (!map)
            reader.refuse("the precompiled_charsmap is none");
        auto kept = std::make_shared<const Charsmap>(std::move(*map));
        add([kept](const Piece& piece, PieceStore& store) { return kept->apply(piece, store); });
    } else if (type == "ByteLevel") {
        add(spell_piece);
    } else {
        reader.refuse(fmt::format("the normalizer '{}' is not known", type));
    }
}

Piece Normalizer::apply(Piece piece, PieceStore& store) const {
    for (const NormalizerStep& step : steps_)
        piece = step(piece, store);
    return piece;
}

std::string Normalizer::apply(std::string_view text) const {
    PieceStore store;
    return std::string(apply(Piece{text, nullptr, true}, store).text);
}

}  // namespace stillroom::lm
