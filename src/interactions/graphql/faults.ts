import { GraphQLError, getLocation, type Location } from 'graphql'
import { operationOutcome, problemTable } from '#fhir'
import { Problem, type ProblemKind } from '#kernel'
import type { FhirResponse } from '../types.ts'

/** Names in the answer under which something stands, from the outside. */
export type Path = readonly string[]

/** Where in the question, and in the answer, something is wrong. */
export interface Place {
  readonly loc?: Location | undefined
  readonly path?: Path
}

const places = new WeakMap<Problem, Place>()

/** The Problem, told with its place; one that has a place keeps it. */
export function at(place: Place, problem: Problem): Problem {
  if (!places.has(problem)) places.set(problem, place)
  return problem
}

/** A part of the question that is none of those that are known, or not as they are. */
export function refused(
  place: Place,
  code:
    | 'graphql.field-unknown'
    | 'graphql.argument-unknown'
    | 'graphql.argument-malformed'
    | 'graphql.directive-unknown'
    | 'graphql.selection-malformed'
    | 'graphql.variable-malformed',
  text: string,
): Problem {
  return at(place, new Problem('invalid', code, text))
}

/** What a parser said of a question, without the words of the question that it quotes. */
export function malformed(cause: unknown): Problem {
  const problem = new Problem('invalid', 'graphql.malformed', 'The query is no GraphQL, or longer than one may be.', {
    cause,
  })
  const [position] = cause instanceof GraphQLError ? (cause.positions ?? []) : []
  const source = cause instanceof GraphQLError ? cause.source : undefined
  if (position !== undefined && source !== undefined) lineOf.set(problem, getLocation(source, position))
  return problem
}

const lineOf = new WeakMap<Problem, { readonly line: number; readonly column: number }>()

/**
 * An error as GraphQL tells it, with its OperationOutcome.
 *
 * @see https://hl7.org/fhir/R4/graphql.html#errors
 */
export function errorResponse(problem: Problem): FhirResponse {
  const { loc, path } = places.get(problem) ?? {}
  const line = loc === undefined ? lineOf.get(problem) : getLocation(loc.source, loc.start)
  const error = {
    message: problem.text,
    ...(line === undefined ? {} : { locations: [line] }),
    ...(path === undefined ? {} : { path }),
    extensions: { resource: operationOutcome(problem) },
  }
  return { status: statusOf(problem.kind), headers: asJson, body: JSON.stringify({ data: null, errors: [error] }) }
}

function statusOf(kind: ProblemKind): number {
  return problemTable[kind].httpStatus
}

/** "The mime type of the response is application/json": it is no resource. */
export const asJson = { 'content-type': 'application/json; charset=utf-8' }
