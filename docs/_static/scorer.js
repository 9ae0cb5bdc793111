// Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
// How search results are ranked: an exported name that is searched for comes first, then titles.
// Names that only live in a module of that name ("gan" in audiosynth.gan.losses) come last.
var Scorer = {
  score: ([docname, title, anchor, descr, score, filename, kind]) => {
    if (kind !== "object") return score;
    const words = (new URLSearchParams(location.search).get("q") || "").toLowerCase().split(/\s+/);
    const last = title.split(".").pop().toLowerCase();
    if (words.some((word) => last === word)) return score + (title.split(".").length > 4 ? 50 : 100);
    return words.some((word) => last.includes(word)) ? score : -20;
  },
  objNameMatch: 11, objPartialMatch: 6, objPrio: {0: 15, 1: 5, 2: -5}, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};
