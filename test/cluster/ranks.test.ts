/** Ranks are 0..N-1, each once, together per host, in the order of the file. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { assignRanks, ranksOf } from "../../cluster/ranks.ts";

const counts = fc.array(fc.integer({ min: 1, max: 16 }), { minLength: 1, maxLength: 12 });

test("whatever the counts, ranks are a permutation of 0..N-1 in file order", () => {
  fc.assert(
    fc.property(counts, (nprocs) => {
      const places = assignRanks(nprocs.map((nproc, index) => ({ name: `h${index}`, nproc })));
      const all = places.flatMap((place) => ranksOf(place).map(({ rank }) => rank));
      const world = nprocs.reduce((sum, each) => sum + each, 0);
      assert.deepEqual(
        all,
        Array.from({ length: world }, (_, rank) => rank),
      );
      for (const [index, place] of places.entries()) {
        assert.equal(place.groupRank, index);
        assert.equal(place.worldSize, world);
        assert.deepEqual(
          ranksOf(place).map(({ localRank }) => localRank),
          Array.from({ length: place.nproc }, (_, local) => local),
        );
      }
    }),
  );
});

test("3 and 1", () => {
  const places = assignRanks([
    { name: "b", nproc: 3 },
    { name: "a", nproc: 1 },
  ]);
  assert.deepEqual(
    places.map((place) => [place.host, place.firstRank, place.nproc]),
    [
      ["b", 0, 3],
      ["a", 3, 1],
    ],
  );
});
