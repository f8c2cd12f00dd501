import { issueTypes, type Resource } from '#fhir'
import type { Problem } from '#kernel'
import type { Format } from './format.ts'
import type { Reason } from './outcome.ts'
import { reasonTexts } from './reasons.ts'
import type { Tally } from './tally.ts'

/** What became of an import. Names kinds of rows and elements, never a value of the file. */
export interface Report {
  /** `failed`: it broke off; what is counted as created or updated was committed, the rest was not. */
  readonly state: 'done' | 'failed'
  readonly format: Format
  /** SHA-256 of the file, hex; absent when the import ended before the file was read. */
  readonly digest?: string
  /** Rows that were read: the sum of `mapped`, `duplicate`, and the counts of `unmapped` and `rejected`. */
  readonly rows: number
  /** Rows that became a resource, or a change to one. */
  readonly mapped: number
  /** Rows that say what is there already. */
  readonly duplicate: number
  /** How many of the duplicates say what another row of this very file says. */
  readonly folded: number
  /** Resources, of which one row may give several and several rows one. */
  readonly created: number
  readonly updated: number
  readonly unmapped: readonly { readonly row: string; readonly count: number }[]
  readonly rejected: readonly {
    readonly row: string
    readonly reason: Reason
    readonly text: string
    readonly expression?: string
    readonly count: number
  }[]
  readonly warnings: readonly string[]
  /** `Provenance/…` that says where the resources came from; absent when nothing was written. */
  readonly provenance?: string
  /** Under which name the file waits until a person decides whom it is about. */
  readonly review?: string
  /** `type` is a code of https://hl7.org/fhir/R4/valueset-issue-type.html: whether it is the file's fault, or passes. */
  readonly problem?: {
    readonly code: string
    readonly type: string
    readonly text: string
    readonly expression?: readonly string[]
  }
}

export interface ReportFacts {
  readonly format: Format
  readonly digest?: string
  readonly provenance?: string
  readonly review?: string
  readonly problem?: Problem
}

export function reportOf(tally: Tally, facts: ReportFacts): Report {
  const { problem, ...rest } = facts
  return {
    state: problem === undefined ? 'done' : 'failed',
    ...rest,
    rows: tally.rows,
    mapped: tally.mapped,
    duplicate: tally.duplicate,
    folded: tally.folded,
    created: tally.created,
    updated: tally.updated,
    unmapped: [...tally.unmapped].map(([row, count]) => ({ row, count })),
    rejected: [...tally.rejected.values()].map(({ row, reason, expression, count }) => ({
      row,
      reason,
      text: reasonTexts[reason],
      ...(expression === undefined ? {} : { expression }),
      count,
    })),
    warnings: [...tally.warnings],
    ...(problem === undefined ? {} : { problem: shownProblem(problem) }),
  }
}

function shownProblem({ kind, code, text, expression }: Problem): NonNullable<Report['problem']> {
  return { code, type: issueTypes[kind], text, ...(expression.length === 0 ? {} : { expression }) }
}

interface Parameter {
  readonly name: string
  readonly [value: string]: unknown
}

const counts = ['rows', 'mapped', 'duplicate', 'folded', 'created', 'updated'] as const

/** The report as FHIR Parameters: what `$ingest` answers and what a finished job shows. */
export function reportResource(report: Report): Resource {
  const parameter: Parameter[] = [
    { name: 'state', valueCode: report.state },
    { name: 'source', valueCode: report.format },
    ...(report.digest === undefined ? [] : [{ name: 'digest', valueString: `sha256:${report.digest}` }]),
    ...counts.map(name => ({ name, valueInteger: report[name] })),
    ...report.unmapped.map(({ row, count }) => ({ name: 'unmapped', part: [rowPart(row), countPart(count)] })),
    ...report.rejected.map(rejectedParameter),
    ...report.warnings.map(text => ({ name: 'warning', valueString: text })),
  ]
  if (report.provenance !== undefined)
    parameter.push({ name: 'provenance', valueReference: { reference: report.provenance } })
  if (report.review !== undefined) parameter.push({ name: 'review', valueId: report.review })
  if (report.problem !== undefined)
    parameter.push({
      name: 'problem',
      part: [
        { name: 'code', valueCode: report.problem.code },
        { name: 'type', valueCode: report.problem.type },
        { name: 'text', valueString: report.problem.text },
        ...(report.problem.expression ?? []).map(text => ({ name: 'expression', valueString: text })),
      ],
    })
  return { resourceType: 'Parameters', parameter }
}

function rejectedParameter({ row, reason, text, expression, count }: Report['rejected'][number]): Parameter {
  const where = expression === undefined ? [] : [{ name: 'expression', valueString: expression }]
  const part = [
    rowPart(row),
    { name: 'reason', valueCode: reason },
    { name: 'text', valueString: text },
    ...where,
    countPart(count),
  ]
  return { name: 'rejected', part }
}

function rowPart(row: string): Parameter {
  return { name: 'row', valueString: row }
}

function countPart(count: number): Parameter {
  return { name: 'count', valueInteger: count }
}
