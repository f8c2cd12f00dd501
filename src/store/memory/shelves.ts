import type { BlobChunk, CompartmentId, Segment } from '../contract.ts'
import { inOrder } from '../well-formed.ts'
import { copyOf } from './copies.ts'
import { mapIn } from './map-in.ts'

/** What lies beside the entries of a compartment: the segments of its index, and attachments. */
export class Shelves {
  readonly #segments = new Map<CompartmentId, Map<number, Segment>>()
  readonly #blobs = new Map<CompartmentId, Map<string, readonly BlobChunk[]>>()

  /** Unless there is one that goes further. */
  putSegment(segment: Segment): void {
    const { compartment, fromSeq, untilSeq } = segment
    const there = this.#segments.get(compartment)?.get(fromSeq)
    if ((there?.untilSeq ?? 0) > untilSeq) return
    mapIn(this.#segments, compartment).set(fromSeq, { ...segment, sealed: copyOf(segment.sealed) })
  }

  segments(compartment: CompartmentId): Segment[] {
    return [...(this.#segments.get(compartment)?.values() ?? [])].sort((a, b) => a.fromSeq - b.fromSeq)
  }

  /** Segments that follow each other without gaps from seq 1 on. */
  segmentsInARow(compartment: CompartmentId): Segment[] {
    const segments: Segment[] = []
    const kept = this.#segments.get(compartment)
    let next = kept?.get(1)
    while (next !== undefined) {
      segments.push(next)
      next = kept?.get(next.untilSeq + 1)
    }
    return segments
  }

  dropSegments(compartment: CompartmentId): void {
    this.#segments.delete(compartment)
  }

  /** All chunks or, when the source fails, none. */
  async putBlob(compartment: CompartmentId, blob: string, chunks: AsyncIterable<BlobChunk>): Promise<void> {
    const kept: BlobChunk[] = []
    for await (const chunk of inOrder(chunks)) kept.push({ index: chunk.index, sealed: copyOf(chunk.sealed) })
    mapIn(this.#blobs, compartment).set(blob, kept)
  }

  blob(compartment: CompartmentId, blob: string): readonly BlobChunk[] {
    return this.#blobs.get(compartment)?.get(blob) ?? []
  }

  dropBlob(compartment: CompartmentId, blob: string): void {
    this.#blobs.get(compartment)?.delete(blob)
  }

  blobNames(compartment: CompartmentId): string[] {
    return [...(this.#blobs.get(compartment)?.keys() ?? [])]
  }

  dropAll(compartment: CompartmentId): void {
    this.#segments.delete(compartment)
    this.#blobs.delete(compartment)
  }

  get allSegments(): Segment[] {
    return [...this.#segments.values()].flatMap(of => [...of.values()])
  }

  get allBlobs(): (readonly BlobChunk[])[] {
    return [...this.#blobs.values()].flatMap(of => [...of.values()])
  }
}
