#include "plugins/lm/tokenizer/sentencepiece_file.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "plugins/lm/tokenizer/proto_reader.h"
#include "plugins/lm/tokenizer/vocabulary.h"

#include <fmt/format.h>

#include <cmath>

namespace stillroom::lm {
namespace {

SentencePieceFile::Entry read_piece(ProtoReader in, std::size_t number) {
    SentencePieceFile::Entry out;
    while (in.next()) {
        if (in.field() == 1) {
            out.text = in.text();
        } else if (in.field() == 2) {
            out.score = in.number();
        } else if (in.field() == 3) {
            std::int32_t type = in.integer();
            if (type < 1 || type > 6)
                in.refuse(fmt::format("piece {} is of the type {}, not 1 to 6", number, type));
            out.type = static_cast<SentencePieceFile::Type>(type);
        }
    }
    if (out.text.empty() || out.text.size() > kLongestToken || find_invalid_utf8(out.text))
        in.refuse(fmt::format("piece {} is no text of 1 to {} bytes", number, kLongestToken));
    if (!std::isfinite(out.score))
        in.refuse(fmt::format("the score of piece {} is no number", number));
    return out;
}

void read_trainer(ProtoReader in, SentencePieceFile& out) {
    while (in.next()) {
        switch (in.field()) {
            case 3: {
                std::int32_t type = in.integer();
                if (type != 1 && type != 2)
                    in.refuse(
                        fmt::format("the model type {} is neither 1 (unigram) nor 2 (BPE)", type));
                out.is_bpe = type == 2;
                break;
            }
            case 24:
                out.suffix = in.flag();
                break;
            case 35:
                out.byte_fallback = in.flag();
                break;
            case 40:
                out.unknown = in.integer();
                break;
            case 41:
                out.begin = in.integer();
                break;
            case 42:
                out.end = in.integer();
                break;
            case 43:
                out.padding = in.integer();
                break;
            case 44:
                out.unknown_surface = in.text();
                break;
            default:
                break;
        }
    }
    if (find_invalid_utf8(out.unknown_surface))
        in.refuse("unk_surface is no UTF-8");
}

void read_normalizer(ProtoReader in, SentencePieceFile& out) {
    while (in.next()) {
        if (in.field() == 2)
            out.charsmap = in.text();
        else if (in.field() == 3)
            out.dummy_prefix = in.flag();
        else if (in.field() == 4)
            out.remove_extra_blanks = in.flag();
        else if (in.field() == 5)
            out.escape_blanks = in.flag();
    }
}

}  // namespace

SentencePieceFile read_sentencepiece_file(std::string_view bytes, const std::string& file) {
    SentencePieceFile out;
    ProtoReader in(bytes, file);
    while (in.next()) {
        if (in.field() == 1) {
            if (out.pieces.size() == kMostTokens)
                in.refuse(fmt::format("more than {} pieces", kMostTokens));
            out.pieces.push_back(read_piece(in.message(), out.pieces.size()));
        } else if (in.field() == 2) {
            read_trainer(in.message(), out);
        } else if (in.field() == 3) {
            read_normalizer(in.message(), out);
        } else if (in.field() == 5) {
            ProtoReader spec = in.message();
            while (spec.next())
                out.denormalizes |= spec.field() == 2 && !spec.text().empty();
        }
    }
    if (out.pieces.empty())
        in.refuse("no pieces: this is no SentencePiece model");
    std::int64_t unknown = -1;
    for (std::size_t i = 0; i < out.pieces.size(); ++i) {
        if (out.pieces[i].type != SentencePieceFile::Type::unknown)
            continue;
        if (unknown >= 0)
            in.refuse(fmt::format("the pieces {} and {} are both unknown ones", unknown, i));
        unknown = static_cast<std::int64_t>(i);
    }
    if (unknown < 0)
        in.refuse("no piece stands for what is unknown");
    out.unknown = static_cast<std::int32_t>(unknown);
    for (std::int32_t* id : {&out.begin, &out.end, &out.padding})
        if (*id < -1 || *id >= static_cast<std::int64_t>(out.pieces.size()))
            in.refuse(fmt::format("the id {} is not within the {} pieces", *id, out.pieces.size()));
    return out;
}

}  // namespace stillroom::lm
