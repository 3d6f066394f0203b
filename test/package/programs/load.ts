/** Loads the addon, or prints the error that says why not. */
import { info } from "papo";

try {
  const { path, attempts } = info();
  console.log(JSON.stringify({ path, attempts }));
} catch (error) {
  const { code, message } = error as Error & { code?: string };
  console.log(JSON.stringify({ code, message }));
}
