/** The shipped descriptors: every JSON file of this folder. */
import sparc_108 from "./sparc-108.json" with { type: "json" };
import sparc_126_148_224 from "./sparc-126-148-224.json" with { type: "json" };
import sparc_142_323 from "./sparc-142-323.json" with { type: "json" };
import sparc_149_150 from "./sparc-149-150.json" with { type: "json" };
import sparc_297_430 from "./sparc-297-430.json" with { type: "json" };
import sparc_301 from "./sparc-301.json" with { type: "json" };
import sparc_305 from "./sparc-305.json" with { type: "json" };
import sparc_309 from "./sparc-309.json" with { type: "json" };
import sparc_310 from "./sparc-310.json" with { type: "json" };
import sparc_315_338 from "./sparc-315-338.json" with { type: "json" };
import sparc_316_436 from "./sparc-316-436.json" with { type: "json" };
import sparc_327 from "./sparc-327.json" with { type: "json" };
import sparc_349_380 from "./sparc-349-380.json" with { type: "json" };
import sparc_350_351 from "./sparc-350-351.json" with { type: "json" };
import sparc_357 from "./sparc-357.json" with { type: "json" };
import sparc_375 from "./sparc-375.json" with { type: "json" };
import sparc_376 from "./sparc-376.json" with { type: "json" };
import sparc_378_400Adicht from "./sparc-378-400-adicht.json" with { type: "json" };
import sparc_391 from "./sparc-391.json" with { type: "json" };
import sparc_400Mat from "./sparc-400-mat.json" with { type: "json" };
import sparc_406 from "./sparc-406.json" with { type: "json" };
import sparc_425 from "./sparc-425.json" with { type: "json" };
import sparc_435 from "./sparc-435.json" with { type: "json" };

/** As they stand in their files; checked by a test, and again when one is used. */
export const DESCRIPTORS: readonly unknown[] = [
  sparc_108,
  sparc_126_148_224,
  sparc_142_323,
  sparc_149_150,
  sparc_297_430,
  sparc_301,
  sparc_305,
  sparc_309,
  sparc_310,
  sparc_315_338,
  sparc_316_436,
  sparc_327,
  sparc_349_380,
  sparc_350_351,
  sparc_357,
  sparc_375,
  sparc_376,
  sparc_378_400Adicht,
  sparc_391,
  sparc_400Mat,
  sparc_406,
  sparc_425,
  sparc_435,
];
