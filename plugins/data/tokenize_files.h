#pragma once

#include "plugins/data/document_writer.h"

#include <functional>

namespace stillroom::data {

/// How a caller follows and ends what takes time.
struct TokenizeWatch {
    std::function<void()> look;       ///< every now and then, from the calling thread
    std::function<bool()> cancelled;  ///< likewise
    double save_every = 10;           ///< seconds
};

/// Reads, encodes on this many threads and writes in order, from where the writer stands to the end
/// of the files or until it has enough. False if it was cancelled: all is saved then. Throws what
/// went wrong first, in the order of the rows, whatever the threads did.
bool tokenize_files(const lm::Tokenizer& tokenizer,
                    const EncodeRules& rules,
                    const std::vector<lm::TextFile>& files,
                    unsigned threads,
                    DocumentWriter& writer,
                    const TokenizeWatch& watch);

}  // namespace stillroom::data
