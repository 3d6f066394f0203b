/** An expectation that does not hold: a check of the check. */
import { expectTypeOf } from "expect-type";
import { version } from "papo";

expectTypeOf(version).toEqualTypeOf<number>();
