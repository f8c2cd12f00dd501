import { forgetRemembered } from '#kernel'
import { ageWords } from '#search'
import { Remembered } from '../../../src/search/words/remembered.ts'

it('what was worked out is worked out again when it was not asked for over two ages, and whenever there is too much', () => {
  const made: string[] = []
  const remembered = new Remembered(2)
  const ask = (...keys: string[]) => keys.map(key => remembered.of(key, each => `${each}${made.push(each)}`))
  ask('a')
  ageWords()
  ask('a')
  expect(made).toEqual(['a'])
  ageWords()
  ageWords()
  ask('a')
  expect(made).toEqual(['a', 'a'])
  ask('b', 'c', 'd', 'e', 'a')
  expect(made.join('')).toBe('aabcdea')
})

it('what was worked out is forgotten at once when it is asked for, in whichever half it was', () => {
  const made: string[] = []
  const remembered = new Remembered(2)
  const ask = (...keys: string[]) => keys.map(key => remembered.of(key, each => `${each}${made.push(each)}`))
  ask('a')
  ageWords()
  ask('b')
  forgetRemembered()
  ask('a', 'b')
  expect(made).toEqual(['a', 'b', 'a', 'b'])
})
