/** The answers of S3 services: small XML documents of elements with text. */
import { SaxesParser } from "saxes";

/** An element of an answer. */
export class XmlElement {
  readonly children: XmlElement[] = [];
  text = "";

  constructor(readonly name: string) {}

  /** All elements of a name at any depth, in the order of the document, itself included. */
  *all(name: string): Generator<XmlElement> {
    if (this.name === name) yield this;
    for (const child of this.children) yield* child.all(name);
  }

  /** Text of the first element of a name. */
  value(name: string): string | undefined {
    for (const found of this.all(name)) return found.text;
    return undefined;
  }
}

/** The root element of an answer; an element without name where the answer is no XML. */
export function parseXml(xml: string): XmlElement {
  const top = new XmlElement("");
  const open = [top];
  const parser = new SaxesParser();
  parser.on("opentag", ({ name }) => {
    const element = new XmlElement(name);
    open.at(-1)!.children.push(element);
    open.push(element);
  });
  parser.on("text", (text) => void (open.at(-1)!.text += text));
  parser.on("closetag", () => void open.pop());
  parser.on("error", (error) => {
    throw error;
  });
  try {
    parser.write(xml).close();
  } catch {
    // A page of a proxy, or an answer that was cut off.
    return new XmlElement("");
  }
  return top.children[0] ?? top;
}
