/** The part of `hl7-standard` that is used; the package has no types of its own. */
declare module 'hl7-standard' {
  interface Segment {
    readonly type: string
    readonly index: number
    readonly data: Readonly<Record<string, unknown>>
  }
  export default class HL7 {
    constructor(data?: string)
    transform(): void
    getSegments(name?: string): Segment[]
  }
}
